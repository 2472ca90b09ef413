// Authorization code with PKCE (RFC 7636) for a client without a secret. Tokens stay in memory: a reload forgets them.
const CLIENT_ID = document.body.dataset.client
const REDIRECT_URI = location.origin + location.pathname
const PENDING = `sign-in of ${CLIENT_ID}`

/** The issuer's endpoints (RFC 8414). Throws with words for people when this page has another origin than the issuer. */
export async function discover() {
  const issuer = await readJson('/.well-known/oauth-authorization-server')
  if (new URL(issuer.issuer).origin !== location.origin) {
    throw new Error(`This app is registered at ${issuer.issuer}${location.pathname}; open it there.`)
  }
  return issuer
}

/** A resource's identifier and scopes, from its metadata (RFC 9728). */
export async function describeResource(path) {
  return await readJson(`/.well-known/oauth-protected-resource${path}`)
}

/** Leaves for the issuer, asking for these resources. */
export async function leaveToSignIn(issuer, resources, scope) {
  const verifier = randomText()
  const state = randomText()
  sessionStorage.setItem(PENDING, JSON.stringify({ verifier, state, resources }))
  const challenge = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    scope,
    state,
    code_challenge: base64url(challenge),
    code_challenge_method: 'S256',
  })
  for (const resource of resources) query.append('resource', resource)
  location.assign(`${issuer.authorization_endpoint}?${query}`)
}

/** What came back from the issuer: tokens for the first resource asked for; undefined when nothing came back. Throws. */
export async function comeBack(issuer) {
  const answer = new URLSearchParams(location.search)
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? 'null')
  if (!answer.has('code') && !answer.has('error')) return undefined
  sessionStorage.removeItem(PENDING)
  history.replaceState(null, '', location.pathname)
  if (pending === null || answer.get('state') !== pending.state)
    throw new Error('That answer belongs to no sign-in of this page.')
  if (answer.get('iss') !== issuer.issuer) throw new Error('That answer came from another issuer.')
  if (answer.has('error'))
    throw new Error(`${answer.get('error')}: ${answer.get('error_description') ?? 'no reason was given'}`)
  const tokens = await askForTokens(issuer, {
    grant_type: 'authorization_code',
    code: answer.get('code'),
    redirect_uri: REDIRECT_URI,
    code_verifier: pending.verifier,
    resource: pending.resources[0],
  })
  return { ...tokens, resources: pending.resources }
}

/** A new access token for one of the resources that were granted. Throws with the issuer's words. */
export async function renew(issuer, tokens, resource) {
  const renewed = await askForTokens(issuer, {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
    resource,
  })
  return { ...tokens, ...renewed }
}

/** Gives the tokens back (RFC 7009). */
export async function giveBack(issuer, tokens) {
  const token = tokens.refresh_token ?? tokens.access_token
  await fetch(issuer.revocation_endpoint, {
    method: 'POST',
    body: new URLSearchParams({ token, client_id: CLIENT_ID }),
  })
}

/** What the token says. A resource server would check its signature first; an app shouldn't depend on what is inside. */
export function claimsOf(token) {
  const [, payload = ''] = token.split('.')
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

async function askForTokens(issuer, parameters) {
  const body = new URLSearchParams({ ...parameters, client_id: CLIENT_ID })
  const response = await fetch(issuer.token_endpoint, { method: 'POST', body })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${answer.error}: ${answer.error_description ?? 'no reason was given'}`)
  return answer
}

async function readJson(path) {
  const response = await fetch(path)
  if (!response.ok) throw new Error(`${path} answers ${response.status}.`)
  return await response.json()
}

function randomText() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)))
}

function base64url(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes))
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
