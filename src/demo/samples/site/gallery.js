// The gallery app on the start page: a public client that signs in, shows what its tokens open, and gives them back.

import { element, message, permission, place, reasonIn, showAnswer, tick } from './show.js'
import { claimsOf, comeBack, describeResource, discover, giveBack, leaveToSignIn, renew } from './sign-in.js'

const PHOTOS = '/photos/api/photos'
const FILES = '/files/'
const PHOTO_SCOPES = document.body.dataset.scope

try {
  await start()
} catch (error) {
  message('problem', error.message)
}

async function start() {
  // Whoever clicks before these have come is not lost.
  const known = Promise.all([discover(), describeResource('/photos'), describeResource('/files')])
  const leave = async (choose, scope) => {
    const [issuer, photos, files] = await known
    await leaveToSignIn(issuer, choose(photos.resource, files.resource), scope)
  }
  on('sign-in', () => leave((photos) => [photos], PHOTO_SCOPES))
  on('sign-in-both', () => leave((photos, files) => [photos, files], `${PHOTO_SCOPES} files:read`))
  const [issuer, , files] = await known
  const tokens = await comeBack(issuer)
  if (tokens !== undefined) await signedIn({ issuer, files: files.resource, tokens })
}

async function signedIn(session) {
  for (const id of ['sign-out', 'with-token', 'tries', 'watching']) place(id).hidden = false
  for (const id of ['sign-in', 'sign-in-both']) place(id).hidden = true
  place('swap').hidden = !session.tokens.resources.includes(session.files)
  permission(claimsOf(session.tokens.access_token))
  on('try-photos', () => tryIt(session, PHOTOS))
  on('try-files', () => tryIt(session, FILES))
  on('try-whoami', () => tryIt(session, '/photos/whoami'))
  on('swap', () => swap(session))
  on('watch', () => watch(session))
  on('sign-out', async () => {
    await giveBack(session.issuer, session.tokens)
    message('done', 'The permission was given back. The token is refused from now on; try it.')
  })
  await showAlbum(session)
}

async function showAlbum(session) {
  const response = await ask(session, PHOTOS)
  if (!response.ok) throw new Error(`The photos answered ${response.status}: ${reasonIn(await response.text())}`)
  const { photos } = await response.json()
  const figures = photos.map((photo) => figure(session, photo))
  place('album').replaceChildren(...(await Promise.all(figures)))
}

// An <img> sends no token; the picture is fetched and shown from memory.
async function figure(session, { title, thumbnail }) {
  const response = await ask(session, thumbnail)
  const picture = element('img', { alt: title, src: URL.createObjectURL(await response.blob()) })
  return element('figure', {}, picture, element('figcaption', {}, title))
}

async function tryIt(session, path) {
  await showAnswer(path, await ask(session, path))
}

async function swap(session) {
  session.tokens = await renew(session.issuer, session.tokens, session.files)
  permission(claimsOf(session.tokens.access_token))
  await tryIt(session, FILES)
}

function watch(session) {
  const button = place('watch')
  const running = button.getAttribute('aria-pressed') === 'true'
  button.setAttribute('aria-pressed', String(!running))
  button.textContent = running ? 'Ask once a second' : 'Stop asking'
  clearInterval(session.timer)
  if (!running)
    session.timer = setInterval(() => askOnce(session).catch((error) => message('problem', error.message)), 1000)
}

async function askOnce(session) {
  const started = performance.now()
  const response = await ask(session, PHOTOS)
  const text = await response.text()
  const took = Math.round(performance.now() - started)
  const at = new Date().toLocaleTimeString()
  const said = response.ok ? `let through at ${at}, in ${took} ms` : `refused at ${at}: ${reasonIn(text)}`
  tick(response.ok, said)
  if (response.ok !== session.letThrough) place('watch-said').textContent = said
  session.letThrough = response.ok
}

async function ask(session, path) {
  await renewExpired(session)
  const headers = { authorization: `Bearer ${session.tokens.access_token}`, accept: 'application/json' }
  return await fetch(path, { headers, cache: 'no-store' })
}

/** One renewal at a time, for the same resource, when the token is about to expire. */
async function renewExpired(session) {
  const { aud, exp } = claimsOf(session.tokens.access_token)
  if (exp * 1000 - Date.now() > 5000) return
  session.renewal ??= renew(session.issuer, session.tokens, aud).finally(() => {
    session.renewal = undefined
  })
  session.tokens = await session.renewal
  permission(claimsOf(session.tokens.access_token))
}

function on(id, act) {
  place(id).addEventListener('click', async () => {
    try {
      await act()
    } catch (error) {
      message('problem', error.message)
    }
  })
}
