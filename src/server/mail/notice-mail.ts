import { setTimeout as delay } from 'node:timers/promises'
import type { MailSettings } from '../../config/config.ts'
import type { IssuerEvent } from '../../issuer/issuer.ts'
import type { Log } from '../../observe/log.ts'
import type { Store } from '../../store/store.ts'
import { type Mail, sendMail } from './mailer.ts'

/** What mailed notices are made from. */
interface NoticeOptions {
  readonly store: Pick<Store, 'userBySub'>
  /** What the file in force says. */
  readonly settings: () => { readonly mail?: MailSettings | undefined; readonly publicOrigin: string }
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  /** Milliseconds. */
  readonly now: () => number
}

/** Tells people by mail what happened to the ways in to their account; the account page says it, too. */
interface NoticeSender {
  /** Never throws and waits for nothing: a sign-in isn't held up by a mail server. */
  note(event: IssuerEvent): void
  /** Once the mails under way are sent or given up, or after five seconds. */
  settled(): Promise<void>
}

/** What people learn of each event, and what to do if it wasn't them. All others are mailed to nobody. */
const NOTICES: Readonly<Record<string, readonly [what: string, otherwise: string]>> = {
  'recovery_code.used': [
    'A recovery code was used to sign in',
    'Change your password and make new recovery codes; each code works once',
  ],
  'recovery_codes.made': [
    'New recovery codes were made; those from before work no more',
    'Change your password and make new recovery codes',
  ],
  'factor.added': ['A way to sign in was added', 'Remove it and change your password'],
  'factor.removed': ['A way to sign in was removed', 'Change your password and add it again'],
  'user.password_changed': ['The password was changed', 'Ask for a recovery link at once'],
  'link.used': ['A link was used to set up a way to sign in', 'Ask for a recovery link at once'],
  'passkey.counter_regressed': ['A passkey was refused: it says that it was copied', 'Remove it and make another one'],
}

/** Mails under way; the account page has what goes beyond. */
const MOST_AT_ONCE = 50
const LAST_WAIT_MS = 5_000

export function noticeSender({ store, settings, log, now }: NoticeOptions): NoticeSender {
  const underWay = new Set<Promise<void>>()
  const send = async (event: string, sub: string, address: unknown): Promise<void> => {
    const { mail, publicOrigin } = settings()
    const user = await store.userBySub(sub)
    if (mail === undefined || user?.email === undefined) return
    const from = typeof address === 'string' ? address : undefined
    const sent = await sendMail(mail, noticeMail(user.email, { event, user, origin: publicOrigin, from, atMs: now() }))
    if (sent.kind === 'sent') log.info('mail.sent', { kind: event, sub })
    else log.warn('mail.failed', { kind: event, sub, fault: sent.fault, detail: sent.problem })
  }
  return {
    note: ({ event, detail: { sub, address } }) => {
      if (NOTICES[event] === undefined || typeof sub !== 'string' || settings().mail === undefined) return
      if (underWay.size >= MOST_AT_ONCE)
        return log.warn('mail.failed', { kind: event, sub, fault: 'EBUSY', detail: 'too many mails are under way' })
      const sending = send(event, sub, address)
        .catch((error: unknown) => log.error('mail.failed', { kind: event, sub, fault: String(error) }))
        .finally(() => underWay.delete(sending))
      underWay.add(sending)
    },
    settled: async () => {
      await Promise.race([Promise.all(underWay), delay(LAST_WAIT_MS, undefined, { ref: false })])
    },
  }
}

interface Notice {
  readonly event: string
  readonly user: { readonly username: string; readonly displayName?: string | undefined }
  readonly origin: string
  /** The address of whoever did it, where it is known. */
  readonly from: string | undefined
  readonly atMs: number
}

function noticeMail(to: string, { event, user, origin, from, atMs }: Notice): Mail {
  const { host } = new URL(origin)
  const [what = '', otherwise = ''] = NOTICES[event] ?? []
  const when = `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const lines = [
    `Hello ${user.displayName ?? user.username},`,
    '',
    `${what}: your account ${user.username} at ${host}, ${when}${from === undefined ? '' : `, from ${from}`}.`,
    '',
    `If that was you, there is nothing to do. If it wasn’t: ${otherwise}. You do so under`,
    `${origin}/account`,
    'or ask whoever runs the gateway to sign you out everywhere.',
    '',
  ]
  return { to, subject: `${what} (${host})`, text: lines.join('\n') }
}
