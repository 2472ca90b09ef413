import { randomBytes } from 'node:crypto'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import { faultFrom, isFault, orFault, type ProviderFault } from './provider-fault.ts'
import { discoveryUrl, encryptedText, type ProviderMetadata, strings } from './provider-metadata.ts'
import { createRelyingParty, type RelyingParty } from './relying-party.ts'

/** One thing that was asked of a provider, and what came. */
export interface Finding {
  readonly good: boolean
  readonly what: string
  /** What was found, or what to change and where. */
  readonly detail: string
}

/**
 * Asks a provider everything that can be asked without a person: its metadata, keys and endpoints, and by a made-up code whether the
 * client's secret is right. @param redirectUri Where it sends people back to; it may find fault with that.
 */
export async function probeProvider(provider: IdentityProvider, redirectUri: string): Promise<readonly Finding[]> {
  const party = createRelyingParty(provider, Date.now, () => undefined)
  try {
    const read = await orFault(() => party.metadata())
    const where = discoveryUrl(provider)
    if (isFault(read)) return [{ good: false, what: 'metadata', detail: `${where}: ${textOf(read)}` }]
    return [
      { good: true, what: 'metadata', detail: `${where}: issuer is the same to the letter` },
      { good: true, what: 'signatures', detail: read.algorithms.join(', ') },
      encryption(provider, read),
      await keys(party, read),
      scopes(provider, read),
      logoutTokens(provider, read),
      await secret(party, redirectUri),
      ...(await endpoints(party, read)),
    ]
  } finally {
    await party.calls.close()
  }
}

function encryption(provider: IdentityProvider, { server }: ProviderMetadata): Finding {
  const listed = strings(server.id_token_encryption_alg_values_supported) ?? []
  // Most list what they could do; authentik lists it where a key is chosen.
  const on = provider.preset === 'authentik' && listed.length > 0
  return {
    good: !on,
    what: 'encryption',
    detail: on ? encryptedText(provider) : 'no sign that ID tokens are encrypted',
  }
}

async function keys(party: RelyingParty, metadata: ProviderMetadata): Promise<Finding> {
  const nobodys = `${Buffer.from('{"alg":"RS256","kid":"audgate probe"}').toString('base64url')}.e30.AA`
  const heard = await orFault(async () => {
    await party.keys.verify(nobodys, metadata)
    return {}
  })
  const reached = isFault(heard) && heard.kind === 'invalid_token'
  return {
    good: reached,
    what: 'keys',
    detail: `${metadata.server.jwks_uri}${reached || !isFault(heard) ? '' : `: ${textOf(heard)}`}`,
  }
}

function scopes({ scopes: wanted, listedScopesOnly }: IdentityProvider, { server }: ProviderMetadata): Finding {
  const listed = strings(server.scopes_supported)
  const missing = listed === undefined || listedScopesOnly ? [] : wanted.filter((scope) => !listed.includes(scope))
  const hint =
    missing.length === 0 ? '' : `; its metadata does not list ${missing.join(' ')}: assign that to this client there`
  const alone = missing.includes('offline_access') ? '; without a refresh token a sign-in lasts `without_recheck`' : ''
  return { good: true, what: 'scopes', detail: `${wanted.join(' ')}${hint}${alone}` }
}

/** Whether the provider says when somebody signs out there, and what is known where it doesn't. */
function logoutTokens(
  { preset, scopes: wanted, recheckSeconds }: IdentityProvider,
  { server }: ProviderMetadata,
): Finding {
  const what = 'logout tokens'
  const asked = `who signs out there loses it here when it is asked next: before a token, when its word is older than ${recheckSeconds} s`
  if (preset === 'keycloak') {
    const detail = wanted.includes('offline_access')
      ? `none: Keycloak sends none for sign-ins with offline_access, which outlive the session there; ${asked}. \`scopes: [openid, profile, email]\` gets them`
      : 'sent, and sign-ins end with the session there, refresh tokens of command lines too; with offline_access they outlive it, and none are sent'
    return { good: true, what, detail }
  }
  const sent = server.backchannel_logout_supported === true
  return {
    good: true,
    what,
    detail: sent ? 'sent to the back-channel logout URL below' : `none that its metadata tell of: ${asked}`,
  }
}

/** A code that nobody was given tells a wrong secret from a right one (RFC 6749 §5.2). */
async function secret(party: RelyingParty, redirectUri: string): Promise<Finding> {
  const made = () => randomBytes(24).toString('base64url')
  const callback = new URL(redirectUri)
  const { server } = await party.metadata()
  callback.search = String(new URLSearchParams({ code: made(), state: 'probe', iss: server.issuer }))
  const answer = await party.redeem(callback, { state: 'probe', nonce: made(), verifier: made() }).then(
    () => undefined,
    (error: unknown) => faultFrom(error),
  )
  const what = 'client and secret'
  if (answer?.kind === 'ended') {
    // There are providers that call a bad code so (Dex); but it may be the request that is meant: its own words tell.
    const said = answer.detail.startsWith('invalid_request') ? 'not refused' : 'accepted'
    return { good: true, what, detail: `${said}; the made-up code was refused, as it should be (${answer.detail})` }
  }
  if (answer?.kind === 'misconfigured' && answer.what === 'invalid_client') {
    return {
      good: false,
      what,
      detail: `refused (${answer.detail}): compare client_id and client_secret with those there`,
    }
  }
  const detail = answer === undefined ? 'a made-up code was accepted' : textOf(answer)
  return { good: false, what, detail: `${server.token_endpoint}: ${detail}` }
}

async function endpoints(party: RelyingParty, { server }: ProviderMetadata): Promise<readonly Finding[]> {
  const { userinfo_endpoint: userinfo, revocation_endpoint: revocation, end_session_endpoint: end } = server
  const { provider } = party
  const needed = provider.groups !== undefined && provider.groups.from !== 'id_token'
  const heard =
    userinfo === undefined ? undefined : await orFault(async () => ({ answer: await party.userinfo('audgate-probe') }))
  const note = userinfo ?? (needed ? 'missing, and groups are to come from there' : 'none')
  const silent = heard !== undefined && isFault(heard) && !/answered with 4\d\d/.test(heard.detail)
  const wanted = provider.signOut === 'provider' && end === undefined
  return [
    {
      good: !silent && (userinfo !== undefined || !needed),
      what: 'userinfo',
      detail: silent && isFault(heard) ? `${note}: ${textOf(heard)}` : note,
    },
    { good: true, what: 'revocation', detail: revocation ?? 'none: its refresh tokens live on until they expire' },
    { good: !wanted, what: 'sign-out', detail: end ?? (wanted ? 'none, and `sign_out: provider` needs one' : 'none') },
  ]
}

function textOf(fault: ProviderFault): string {
  const named = fault.kind === 'misconfigured' && fault.what !== 'metadata'
  return named ? `${fault.what}: ${fault.detail}` : fault.detail
}
