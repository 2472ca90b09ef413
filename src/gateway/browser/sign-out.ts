import { denial } from '../../core/denial.ts'
import { isOwnRequest } from '../../core/own-request.ts'
import { hashOf } from '../credentials/app-password-evidence.ts'
import { originOf } from '../policy.ts'
import { type BrowserAnswer, type BrowserCall, ownPage } from './browser-call.ts'
import { readBrowserCookie, setBrowserCookie } from './cookies.ts'

const ACTION = '/.audgate/sign-out'

/** Asks: a link alone signs nobody out. */
export async function askSignOut({ reserved: { head } }: BrowserCall): Promise<BrowserAnswer> {
  const words = {
    title: 'Sign out?',
    status: 200,
    paragraphs: ['This browser is signed out here, and at every other service that you opened with the same sign-in.'],
    facts: [],
    form: { action: ACTION, button: 'Sign out' },
    link: { href: '/', label: 'Stay signed in' },
  }
  return { answer: ownPage(words, head.method === 'HEAD') }
}

/** Ends this session, the issuer's session of this browser, and all that were opened under it. Only a page of this origin may. */
export async function signOut({ reserved, backChannel }: BrowserCall): Promise<BrowserAnswer> {
  const { policy, head, routing, record } = reserved
  const { method, rawHeaders } = head
  const origin = originOf(policy, routing.host)
  if (!isOwnRequest({ method, rawHeaders, origin, allowed: [] })) {
    return { denial: denial('cross_origin_request', 'another site asked; sign out on a page of this one') }
  }
  const id = readBrowserCookie(policy, rawHeaders, 'web')
  const by = { requestId: record.id, address: record.address }
  if (id !== undefined) await backChannel.ask('sign_out', { idHash: hashOf(id), origin, ...by })
  const words = {
    title: 'You are signed out',
    status: 200,
    paragraphs: ['To use this service again, sign in again.'],
    facts: [],
    link: { href: '/', label: 'Sign in' },
  }
  return { answer: ownPage(words, false, ['Set-Cookie', setBrowserCookie(policy, 'web', '', 0)]) }
}
