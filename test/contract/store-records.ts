import type { AuthorizationRecord, ClientRecord, RevocationAct, UserRecord } from '../../src/store/store.ts'

/** A person with plain values. */
export function aUser(over: Partial<UserRecord> = {}): UserRecord {
  return {
    sub: 'usr_1',
    username: 'Alice',
    displayName: undefined,
    email: undefined,
    groups: [],
    passwordHash: undefined,
    disabled: false,
    createdAt: 1000,
    ...over,
  }
}

/** A native client with plain values. */
export function aClient(over: Partial<ClientRecord> = {}): ClientRecord {
  return {
    id: 'photo-cli',
    type: 'native',
    name: 'Photo CLI',
    redirectUris: [],
    postLogoutRedirectUris: [],
    thirdParty: false,
    origin: 'operator',
    secretHash: undefined,
    allow: [],
    revoked: false,
    createdAt: 1000,
    metadata: {},
    ...over,
  }
}

/** An authorization with plain values. */
export function anAuthorization(over: Partial<AuthorizationRecord> = {}): AuthorizationRecord {
  return {
    gid: 'gid',
    sub: 'u',
    clientId: 'c',
    resources: { 'https://g/photos': ['photos:read'] },
    label: 'Firefox on Linux',
    createdAt: 1000,
    lastUsedAt: undefined,
    ended: false,
    ...over,
  }
}

/** An act that changes nothing but what is given. */
export function anAct(over: Partial<RevocationAct> = {}): RevocationAct {
  return {
    revocations: [],
    deleteConsents: [],
    endAuthorizations: [],
    endSessions: [],
    audit: { event: 'test', detail: {} },
    ...over,
  }
}
