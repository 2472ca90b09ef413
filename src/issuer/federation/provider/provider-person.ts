import type { IdentityProvider } from '../../../core/identity-provider.ts'
import { displayNameProblem, emailProblem, usernameProblem } from '../../people/people.ts'
import { ProviderError } from './provider-fault.ts'
import type { GroupsWord } from './provider-groups.ts'
import type { Claims } from './relying-party.ts'

const LONGEST_PERSON = 255

/** Who a provider says that somebody is. */
export interface ProviderPerson {
  /** With the issuer, the key of the person. */
  readonly person: string
  /** `sub` of the ID token: what userinfo and later tokens must say again. */
  readonly subject: string
  readonly sid: string | undefined
  /** Undefined: none that an account could have. */
  readonly username: string | undefined
  /** As it was sent, for the page; '' for none. */
  readonly askedName: string
  readonly displayName: string | undefined
  /** Undefined: none that counts. */
  readonly email: string | undefined
}

/**
 * Reads who signed in. The person comes from the ID token alone; names and address from userinfo too, where that came.
 * Throws {@link ProviderError} when the ID token names no person.
 */
export function readPerson(provider: IdentityProvider, idToken: Claims, userinfo: Claims | undefined): ProviderPerson {
  const claims = { ...idToken, ...userinfo }
  const askedName = textOf(claims[provider.username.claim]) ?? ''
  const username = askedName === '' ? '' : `${askedName}${provider.username.suffix}`.normalize('NFKC')
  const displayName = textOf(claims.name)?.trim()
  return {
    person: personKey(provider, idToken),
    subject: textOf(idToken.sub) ?? '',
    sid: fit(idToken.sid),
    username: usernameProblem(username) === undefined ? username : undefined,
    askedName: username,
    displayName: displayNameProblem(displayName) === undefined ? displayName : undefined,
    email: emailOf(provider, idToken, userinfo),
  }
}

/** The value that is the person; for an issuer that stands for every tenant, behind the tenant. */
export function personKey(provider: IdentityProvider, claims: Claims): string {
  const value = fit(claims[provider.person])
  if (value === undefined)
    throw new ProviderError({ kind: 'invalid_token', detail: `no ${provider.person} that could be a person` })
  const tenant = fit(claims.tid)
  return claims.iss === provider.issuer || tenant === undefined ? value : `${tenant} ${value}`
}

/** The address that counts, by what the file says of the provider's: an address and whether it is verified come from one place. */
function emailOf({ email }: IdentityProvider, idToken: Claims = {}, userinfo: Claims = {}): string | undefined {
  const claims = 'email' in userinfo ? userinfo : idToken
  const value = textOf(claims.email)
  if (email === 'none' || value === undefined || emailProblem(value) !== undefined) return undefined
  return email === 'as_sent' || claims.email_verified === true ? value : undefined
}

/**
 * Which of the file's conditions isn't met; undefined: all are. What did not come is not judged again.
 * @param first The sign-in: what did not come is not met.
 */
export function notAllowed(
  provider: IdentityProvider,
  {
    idToken,
    userinfo,
    groups,
  }: { idToken: Claims | undefined; userinfo: Claims | undefined; groups: GroupsWord | undefined },
  first: boolean,
): string | undefined {
  const { allow } = provider
  const claims = { ...idToken, ...userinfo }
  const tenant = tenantIn(provider.issuer)
  const conditions: readonly (readonly [string, boolean, boolean])[] = [
    [
      'groups',
      allow.groups.length > 0 && (first || (groups !== undefined && groups.kind !== 'unsaid')),
      inOne(groups, allow.groups),
    ],
    [
      'email_domains',
      allow.emailDomains.length > 0 && (first || 'email' in claims),
      hasDomain(provider, idToken, userinfo),
    ],
    ['tenants', allow.tenants.length > 0 && (first || idToken !== undefined), includes(allow.tenants, claims.tid)],
    ['tenant', tenant !== undefined && claims.tid !== undefined, claims.tid === tenant],
    [
      'hosted_domains',
      allow.hostedDomains.length > 0 && (first || idToken !== undefined),
      includes(allow.hostedDomains, claims.hd),
    ],
  ]
  return conditions.find(([, required, met]) => required && !met)?.[0]
}

/** A text that is one of them; a list of texts is none. */
function includes(wanted: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && wanted.includes(value)
}

/** The tenant that an issuer of Entra is for. */
function tenantIn(issuer: string): string | undefined {
  return /^https?:\/\/[^/]+\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/v2\.0$/i.exec(issuer)?.[1]
}

function inOne(groups: GroupsWord | undefined, wanted: readonly string[]): boolean {
  return groups?.kind === 'said' && groups.sent.some((name) => wanted.includes(name))
}

function hasDomain(provider: IdentityProvider, idToken: Claims | undefined, userinfo: Claims | undefined): boolean {
  // An address that is not to enter the account may say where somebody is from all the same.
  const email = provider.email === 'none' ? 'verified' : provider.email
  const domain = emailOf({ ...provider, email }, idToken, userinfo)
    ?.split('@')
    .at(-1)
    ?.toLowerCase()
  return domain !== undefined && provider.allow.emailDomains.includes(domain)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A text that can be kept and compared. */
function fit(value: unknown): string | undefined {
  const sane =
    typeof value === 'string' && value !== '' && value.length <= LONGEST_PERSON && !/[\p{Cc}\p{Cs}]/u.test(value)
  return sane ? value : undefined
}
