import { personKey, type Revocation } from '../core/revocation.ts'
import { lookupKey } from '../store/sealed-payload.ts'
import type { NewRevocation, RevocationAct, Store, UserRecord } from '../store/store.ts'
import { APP_PASSWORD_CLIENT } from './clients/reserved.ts'

/** Entries outlive the last token that they can touch by this much: clocks differ, and are set back. */
const TOLERANCE_SECONDS = 3600
/** The longest `access_token_ttl` that routes.yaml may say: a token may have been made under another file than today's. */
const LONGEST_TOKEN_SECONDS = 86_400

export interface ActOptions {
  readonly store: Pick<Store, 'act' | 'userBySub' | 'unit' | 'voidLinksMadeBy'>
  /** Milliseconds. */
  readonly now: () => number
  /** Whose members are administrators; undefined: it isn't known, and whoever loses any group may have been one. */
  readonly adminGroups?: () => readonly string[]
}

/** What is spared when a password changes: the authorization and the browser session that the person acts from. */
export interface InHand {
  readonly exceptGid?: string | undefined
  readonly exceptUid?: string | undefined
  /** App passwords go on. */
  readonly keepAppPasswords?: boolean
}

/** A sign-in by a provider, and whose it is. */
export interface SignInOf {
  readonly id: string
  readonly sub: string
}

type Change = Partial<RevocationAct> & Pick<RevocationAct, 'audit'>

/**
 * The acts of revocation, each one transaction with its audit line. Every method answers the entries that are in force by
 * it; `by` says who acted, for the audit. None checks that the person or client exists, save where it sets something.
 */
export interface RevocationActs {
  /** Ends what the client has, and gives it nothing until {@link RevocationActs.restoreClient}. */
  revokeClient(clientId: string, by: string): Promise<readonly Revocation[]>
  restoreClient(clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends what the client has; people may sign in to it anew. */
  endClient(clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends what every client has of this person, browser sessions too. */
  revokeUser(sub: string, by: string): Promise<readonly Revocation[]>
  /** Ends what one client has of this person. */
  revokeUserClient(sub: string, clientId: string, by: string): Promise<readonly Revocation[]>
  /** As {@link RevocationActs.revokeUserClient}, when the person takes the consent back. */
  revokeConsent(sub: string, clientId: string, by: string): Promise<readonly Revocation[]>
  /** Ends all tokens and browser sessions of the person, and app passwords where that is said; consents stay. */
  signOutEverywhere(sub: string, by: string, appPasswords?: boolean): Promise<readonly Revocation[]>
  /** Ends a session of the issuer (by its lookup key), and all browser sessions at the gateway that were opened under it. */
  signOutBrowser(sub: string, issuerSession: string, by: string): Promise<readonly Revocation[]>
  /** Ends one app password; one that is not there is no error. */
  revokeAppPassword(id: string, by: string): Promise<readonly Revocation[]>
  /** Ends one token. @param exp its expiry, NumericDate; undefined when it isn't known. */
  revokeJti(jti: string, exp: number | undefined, by: string): Promise<readonly Revocation[]>
  /** Ends one authorization: its tokens and the family of its refresh tokens. Consents stay. */
  revokeAuthorization(gid: string, by: string): Promise<readonly Revocation[]>
  disableUser(sub: string, by: string): Promise<readonly Revocation[]>
  enableUser(sub: string, by: string): Promise<readonly Revocation[]>
  /** Sets the groups; tokens that carry one that is taken away end. Groups are NOT checked. */
  changeGroups(sub: string, groups: readonly string[], by: string): Promise<readonly Revocation[]>
  /** Sets what `change` has, tokens that carry a group that is taken away end. Nothing is checked. */
  changeUser(
    sub: string,
    change: Partial<Pick<UserRecord, 'displayName' | 'email' | 'groups'>>,
    by: string,
  ): Promise<readonly Revocation[]>
  /**
   * Ends sign-ins by a provider: their browser sessions, authorizations and tokens. @param keepNative spares native clients, and the
   * sign-in with them. @param why for the audit.
   */
  endProviderSignIns(
    signIns: readonly SignInOf[],
    keepNative: boolean,
    why: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
  /** Takes an identity from its account, with everything that came from it: `signIns` are its own. */
  unlinkProvider(
    link: { readonly issuer: string; readonly person: string },
    signIns: readonly SignInOf[],
    why: Readonly<Record<string, unknown>>,
  ): Promise<readonly Revocation[]>
  /** Refuses the tokens that these clients have of the person now; what they live by stands, and gives them others. */
  refuseTokens(sub: string, clientIds: readonly string[], by: string): Promise<readonly Revocation[]>
  /** Sets the password and ends all sessions and tokens but those in hand. */
  changePassword(sub: string, hash: string, inHand: InHand, by: string): Promise<readonly Revocation[]>
  /** Sets the password by a one-time link, and ends all sessions and tokens. @param detail of the link, for the audit. */
  setUpByLink(sub: string, hash: string, detail: Readonly<Record<string, unknown>>): Promise<readonly Revocation[]>
}

/** Acts on a store. */
export function createRevocationActs(options: ActOptions): RevocationActs {
  const { store } = options
  const acting = (change: (stamp: Stamp) => Change) => store.act(whole(change(stampOf(options))))
  return {
    ...clientActs(acting),
    ...userActs(acting),
    ...tokenActs(acting),
    ...settingActs(acting, options),
    ...providerActs(acting),
  }
}

type Acting = (change: (stamp: Stamp) => Change) => Promise<readonly Revocation[]>

interface Stamp {
  readonly notBeforeMs: number
  readonly expiresAt: number
}

function clientActs(acting: Acting): Pick<RevocationActs, 'revokeClient' | 'restoreClient' | 'endClient'> {
  const ending = (id: string, stamp: Stamp) => ({
    revocations: [entry('client', id, stamp)],
    deleteConsents: [{ clientId: id }],
    endAuthorizations: [{ clientId: id }],
    ...(id === APP_PASSWORD_CLIENT ? { endAppPasswords: [{ revokeTokens: stamp }] } : {}),
  })
  return {
    revokeClient: (id, by) =>
      acting((stamp) => ({
        ...ending(id, stamp),
        setClient: { id, revoked: true },
        audit: line('client.revoked', { client: id, by }),
      })),
    restoreClient: (id, by) =>
      acting(() => ({ setClient: { id, revoked: false }, audit: line('client.restored', { client: id, by }) })),
    endClient: (id, by) =>
      acting((stamp) => ({ ...ending(id, stamp), audit: line('tokens.revoked', { client: id, by }) })),
  }
}

function userActs(
  acting: Acting,
): Pick<RevocationActs, 'revokeUser' | 'revokeUserClient' | 'revokeConsent' | 'signOutEverywhere' | 'signOutBrowser'> {
  const appEnds = (event: string) => (sub: string, clientId: string, by: string) =>
    acting((stamp) => ({
      revocations: [entry('sub_client', personKey(sub, clientId), stamp)],
      deleteConsents: [{ sub, clientId }],
      endAuthorizations: [{ sub, clientId, revokeTokens: stamp }],
      ...(clientId === APP_PASSWORD_CLIENT ? { endAppPasswords: [{ sub, revokeTokens: stamp }] } : {}),
      audit: line(event, { sub, client: clientId, by }),
    }))
  return {
    revokeUser: (sub, by) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        endAppPasswords: [{ sub, revokeTokens: stamp }],
        deleteConsents: [{ sub }],
        audit: line('tokens.revoked', { sub, by }),
      })),
    revokeUserClient: appEnds('tokens.revoked'),
    revokeConsent: appEnds('consent.revoked'),
    signOutEverywhere: (sub, by, appPasswords = false) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        ...(appPasswords ? { endAppPasswords: [{ sub, revokeTokens: stamp }] } : {}),
        audit: line('session.ended_everywhere', { sub, by }),
      })),
    signOutBrowser: (sub, issuerSession, by) =>
      acting((stamp) => ({
        endBrowserSessions: [{ issuerSession, revokeTokens: stamp }],
        audit: line('browser_sessions.ended', { sub, by }),
      })),
  }
}

function tokenActs(acting: Acting): Pick<RevocationActs, 'revokeJti' | 'revokeAuthorization' | 'revokeAppPassword'> {
  return {
    revokeAppPassword: (id, by) =>
      acting((stamp) => ({
        endAppPasswords: [{ id, revokeTokens: stamp }],
        audit: line('app_password.revoked', { id, by }),
      })),
    revokeJti: (jti, exp, by) =>
      acting((stamp) => {
        const expiresAt = exp === undefined ? stamp.expiresAt : Math.ceil(exp) + TOLERANCE_SECONDS
        return { revocations: [entry('jti', jti, { ...stamp, expiresAt })], audit: line('token.revoked', { jti, by }) }
      }),
    revokeAuthorization: (gid, by) =>
      acting((stamp) => ({
        revocations: [entry('gid', gid, stamp)],
        endAuthorizations: [{ gid }],
        audit: line('authorization.revoked', { gid, by }),
      })),
  }
}

function settingActs(
  acting: Acting,
  { store, adminGroups }: ActOptions,
): Pick<
  RevocationActs,
  'disableUser' | 'enableUser' | 'changeGroups' | 'changeUser' | 'changePassword' | 'setUpByLink'
> {
  return {
    disableUser: (sub, by) =>
      withLinks(store, sub, true, () =>
        acting((stamp) => ({
          ...everything(sub, stamp),
          endAppPasswords: [{ sub, revokeTokens: stamp }],
          deleteConsents: [{ sub }],
          setUser: { sub, disabled: true },
          audit: line('user.disabled', { sub, by }),
        })),
      ),
    enableUser: (sub, by) =>
      acting(() => ({ setUser: { sub, disabled: false }, audit: line('user.enabled', { sub, by }) })),
    changeGroups: async (sub, groups, by) => {
      const before = (await store.userBySub(sub))?.groups ?? []
      const removed = before.filter((group) => !groups.includes(group))
      const steppedDown = removed.some((group) => adminGroups?.().includes(group) ?? true)
      return withLinks(store, sub, steppedDown, () =>
        acting((stamp) => ({
          revocations: removed.map((group) => entry('sub_group', personKey(sub, group), stamp)),
          setUser: { sub, groups },
          audit: line('user.groups_changed', { sub, groups, removed, by }),
        })),
      )
    },
    changeUser: async (sub, change, by) => {
      const before = (await store.userBySub(sub))?.groups ?? []
      const removed = change.groups === undefined ? [] : before.filter((group) => !change.groups?.includes(group))
      const fields = Object.keys(change)
      const groups = change.groups === undefined ? {} : { groups: change.groups, removed }
      const steppedDown = removed.some((group) => adminGroups?.().includes(group) ?? true)
      return withLinks(store, sub, steppedDown, () =>
        acting((stamp) => ({
          revocations: removed.map((group) => entry('sub_group', personKey(sub, group), stamp)),
          setUser: { sub, ...change },
          audit: line('user.changed', { sub, fields, ...groups, by }),
        })),
      )
    },
    changePassword: (sub, passwordHash, inHand, by) =>
      acting((stamp) => ({
        ...(inHand.exceptGid === undefined ? everything(sub, stamp) : {}),
        endAuthorizations: [
          {
            ...{ sub, revokeTokens: stamp, exceptGid: inHand.exceptGid },
            exceptIssuerSession: inHand.exceptUid === undefined ? undefined : lookupKey(inHand.exceptUid),
          },
        ],
        ...(inHand.keepAppPasswords === true ? {} : { endAppPasswords: [{ sub, revokeTokens: stamp }] }),
        endSessions: [{ sub, exceptUid: inHand.exceptUid }],
        setUser: { sub, passwordHash },
        audit: line('user.password_changed', { sub, by }),
      })),
    setUpByLink: (sub, passwordHash, detail) =>
      acting((stamp) => ({
        ...everything(sub, stamp),
        endAppPasswords: [{ sub, revokeTokens: stamp }],
        setUser: { sub, passwordHash },
        audit: line('link.used', { sub, ...detail }),
      })),
  }
}

/** The links that an administrator has made go with the office. */
function withLinks<T>(store: ActOptions['store'], sub: string, go: boolean, act: () => Promise<T>): Promise<T> {
  const work = async (): Promise<T> => {
    const result = await act()
    await store.voidLinksMadeBy(sub)
    return result
  }
  return go ? store.unit(work, () => true) : act()
}

function providerActs(acting: Acting): Pick<RevocationActs, 'endProviderSignIns' | 'unlinkProvider' | 'refuseTokens'> {
  return {
    endProviderSignIns: (signIns, keepNative, why) =>
      acting((stamp) => ({
        endProviderSignIns: signIns.map(({ id, sub }) => ({ id, sub, keepNative, ...stamp })),
        audit: line('federation.ended', why),
      })),
    unlinkProvider: ({ issuer, person }, signIns, why) =>
      acting((stamp) => ({
        endProviderSignIns: signIns.map(({ id, sub }) => ({ id, sub, keepNative: false, ...stamp })),
        deleteProviderLinks: [{ issuer, person }],
        audit: line('federation.unlinked', why),
      })),
    refuseTokens: (sub, clientIds, by) =>
      acting((stamp) => ({
        revocations: clientIds.map((id) => entry('sub_client', personKey(sub, id), stamp)),
        audit: line('tokens.refused', { sub, clients: clientIds, by }),
      })),
  }
}

/**
 * All tokens and sessions of a person. The entries by authorization catch a token that was decided on before the act and
 * stamped after it, which the entry by time lets pass.
 */
function everything(sub: string, stamp: Stamp) {
  return {
    revocations: [entry('sub', sub, stamp)],
    endAuthorizations: [{ sub, revokeTokens: stamp }],
    endSessions: [{ sub }],
  }
}

function whole(change: Change): RevocationAct {
  return { revocations: [], deleteConsents: [], endAuthorizations: [], endSessions: [], ...change }
}

function stampOf(options: ActOptions): Stamp {
  const notBeforeMs = Math.floor(options.now())
  const seconds = LONGEST_TOKEN_SECONDS + TOLERANCE_SECONDS
  return { notBeforeMs, expiresAt: Math.ceil(notBeforeMs / 1000) + seconds }
}

function entry(kind: NewRevocation['kind'], key: string, stamp: Stamp): NewRevocation {
  return { kind, key, ...stamp }
}

function line(event: string, detail: Readonly<Record<string, unknown>>): RevocationAct['audit'] {
  return { event, detail }
}
