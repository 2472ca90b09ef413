import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, seconds } from '../context.ts'
import { appendCookie, cookieName, isSecure, PASSWORD_PATHS, readCookie } from './cookies.ts'
import { endedMeanwhile } from './ended-meanwhile.ts'

const DAY_SECONDS = 86_400
const TOKEN = /^[\w-]{43}$/

/** For how many days a browser may be remembered; 0: none is. */
export function rememberDays({ settings }: IssuerContext): number {
  return Math.floor(settings().rememberBrowserSeconds / DAY_SECONDS)
}

/** Whether the person is asked for no code in this browser. Such a sign-in is a password's, whatever came before. */
export async function isRemembered(
  context: IssuerContext,
  request: IncomingMessage,
  user: UserRecord,
): Promise<boolean> {
  const { origin, rememberBrowserSeconds } = context.settings()
  const token = readCookie(request.headers.cookie, cookieName('browser', origin))
  if (rememberBrowserSeconds === 0 || token === undefined || !TOKEN.test(token)) return false
  const kept = await context.store.rememberedBrowser(hashOf(token), seconds(context))
  // What the file allows may be less than it was.
  if (kept?.sub !== user.sub || kept.createdAt + rememberBrowserSeconds <= seconds(context)) return false
  return kept.bound === (await boundTo(context, user))
}

/** Remembers this browser, until the password or a factor changes or the person signs out everywhere. */
export async function rememberBrowser(
  context: IssuerContext,
  request: IncomingMessage,
  response: ServerResponse,
  user: UserRecord,
): Promise<void> {
  const { origin, rememberBrowserSeconds: life } = context.settings()
  if (life === 0) return
  const token = randomBytes(32).toString('base64url')
  const [createdAt, bound] = [seconds(context), await boundTo(context, user)]
  await context.store.rememberBrowser({
    hash: hashOf(token),
    sub: user.sub,
    bound,
    createdAt,
    expiresAt: createdAt + life,
  })
  // What ended everything before that has not found it: nobody gets the token.
  if (await endedMeanwhile(context, request, { sub: user.sub, clientId: undefined })) return
  const rest = `max-age=${life}; httponly; samesite=lax${isSecure(origin) ? '; secure' : ''}`
  for (const path of PASSWORD_PATHS)
    appendCookie(response, `${cookieName('browser', origin)}=${token}; path=${path}; ${rest}`)
}

/** The account's locks as they are: any change of one forgets all browsers. */
async function boundTo({ store }: IssuerContext, { sub, passwordHash = '' }: UserRecord): Promise<string> {
  const app = (await store.authenticator(sub))?.sealed ?? ''
  const passkeys = (await store.passkeys(sub)).map(({ id }) => id).sort()
  return hashOf(JSON.stringify([passwordHash, app, passkeys]))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
