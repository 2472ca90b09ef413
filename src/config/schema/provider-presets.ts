import type { PresetName } from '../../core/identity-provider.ts'

/** How a provider of a kind is told by its issuer, and what it is known to need. */
interface ProviderPreset {
  /** What the button says when the file doesn't. */
  readonly label: string
  /** A host, `*.` before it for all below it; undefined: the host says nothing. */
  readonly host?: string
  /** A part of the path. */
  readonly path?: string
  /** Besides `openid`. */
  readonly scopes: readonly string[]
  readonly listedScopesOnly?: true
  readonly parameters?: Readonly<Record<string, string>>
  /** Undefined: it has no groups. Without claims: the file has to name one. */
  readonly groups:
    | {
        readonly claims: readonly string[]
        readonly from: 'id_token' | 'userinfo' | 'both'
        readonly form: 'list' | 'keys'
      }
    | undefined
  readonly username: string
  readonly suffix?: string
  readonly person?: string
  readonly clientAuth?: 'basic'
  /** Where anybody can have an account: everywhere, at this host, or at an issuer that names no tenant. */
  readonly openTo?: 'anyone' | 'anyone at the host' | 'anyone without tenant'
}

const PROFILE = ['profile', 'email'] as const
const OFFLINE = [...PROFILE, 'offline_access'] as const
const GROUPS = [...PROFILE, 'groups', 'offline_access'] as const
const LISTED = { claims: ['groups'], from: 'both', form: 'list' } as const
const NAME = 'preferred_username'

/** One row a kind of provider. The first that fits the issuer is taken, unless the file says which. */
export const PRESETS: Readonly<Record<PresetName, ProviderPreset>> = {
  authentik: { label: 'authentik', path: '/application/o/', scopes: OFFLINE, groups: LISTED, username: NAME },
  keycloak: { label: 'Keycloak', path: '/realms/', scopes: OFFLINE, groups: LISTED, username: NAME },
  zitadel: {
    label: 'Zitadel',
    host: '*.zitadel.cloud',
    scopes: [...OFFLINE, 'urn:zitadel:iam:org:projects:roles'],
    groups: { claims: ['urn:zitadel:iam:org:project:roles'], from: 'userinfo', form: 'keys' },
    username: NAME,
  },
  authelia: {
    label: 'Authelia',
    scopes: GROUPS,
    groups: { ...LISTED, from: 'userinfo' },
    username: NAME,
    clientAuth: 'basic',
  },
  'pocket-id': { label: 'Pocket ID', scopes: GROUPS, groups: LISTED, username: NAME },
  entra: {
    label: 'Microsoft',
    host: 'login.microsoftonline.com',
    scopes: OFFLINE,
    groups: { claims: ['roles'], from: 'id_token', form: 'list' },
    username: NAME,
    person: 'oid',
    openTo: 'anyone without tenant',
  },
  google: {
    label: 'Google',
    host: 'accounts.google.com',
    scopes: PROFILE,
    parameters: { access_type: 'offline' },
    groups: undefined,
    username: 'email',
    suffix: '@google',
    openTo: 'anyone',
  },
  gitlab: {
    label: 'GitLab',
    host: 'gitlab.com',
    scopes: PROFILE,
    groups: { ...LISTED, from: 'userinfo' },
    username: 'nickname',
    openTo: 'anyone at the host',
  },
  okta: {
    label: 'Okta',
    host: '*.okta.com',
    scopes: OFFLINE,
    groups: { ...LISTED, from: 'id_token' },
    username: NAME,
  },
  auth0: {
    label: 'Auth0',
    host: '*.auth0.com',
    scopes: OFFLINE,
    groups: { claims: [], from: 'id_token', form: 'list' },
    username: 'nickname',
  },
  kanidm: {
    label: 'Kanidm',
    path: '/oauth2/openid/',
    // It refuses whoever asks for a scope that it has not been told of.
    scopes: [...PROFILE, 'groups_name'],
    groups: { ...LISTED, claims: ['groups_name', 'groups'] },
    username: NAME,
  },
  generic: { label: 'Single sign-on', scopes: GROUPS, listedScopesOnly: true, groups: LISTED, username: NAME },
}

/** Every name that `preset` may have. */
export const PRESET_NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]]

/** Which preset is taken for an issuer, and why, in words. @param named The file's own `preset`. */
export function choosePreset(
  issuer: string,
  named: PresetName | undefined,
): { readonly preset: PresetName; readonly reason: string } {
  if (named !== undefined) return { preset: named, reason: 'the file says so' }
  const url = new URL(issuer)
  for (const preset of PRESET_NAMES) {
    const { host, path } = PRESETS[preset]
    if (host !== undefined && isAt(url, host)) return { preset, reason: `its host is ${url.hostname}` }
    if (path !== undefined && url.pathname.includes(path)) return { preset, reason: `its path has ${path}` }
  }
  return { preset: 'generic', reason: 'its issuer has the form of no other' }
}

/** Whether anybody can make an account at this issuer, so that the file has to say who is meant; whatever preset it says. */
export function isOpenToAnyone(preset: PresetName, issuer: string): boolean {
  return isOpen(preset, issuer) || isOpen(choosePreset(issuer, undefined).preset, issuer)
}

function isOpen(preset: PresetName, issuer: string): boolean {
  const { openTo, host = '' } = PRESETS[preset]
  const url = new URL(issuer)
  if (openTo === undefined || openTo === 'anyone') return openTo === 'anyone'
  return openTo === 'anyone at the host' ? isAt(url, host) : tenantOf(issuer) === undefined
}

/** The tenant of everybody's own accounts at Microsoft. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** The tenant id that an issuer of Entra names; undefined for those that stand for every tenant, or for everybody. */
function tenantOf(issuer: string): string | undefined {
  const tenant = /^\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\//i.exec(new URL(issuer).pathname)?.[1]
  return tenant?.toLowerCase() === CONSUMERS ? undefined : tenant
}

function isAt({ hostname }: URL, host: string): boolean {
  return host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host
}
