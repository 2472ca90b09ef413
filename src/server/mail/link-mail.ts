import type { AdminMail } from '../../admin/dependencies.ts'
import type { MailSettings } from '../../config/config.ts'
import type { Log } from '../../observe/log.ts'
import type { Store } from '../../store/store.ts'
import { type Mail, sendMail } from './mailer.ts'

/** A one-time link on its way to whom it is for. */
interface SentLink {
  readonly kind: 'invite' | 'recover'
  readonly url: string
  /** NumericDate. */
  readonly expiresAt: number
  readonly user: { readonly username: string; readonly displayName?: string | undefined }
  /** Who made it, in words; undefined: a command of the machine. */
  readonly maker: string | undefined
}

interface LinkSenderOptions {
  readonly store: Pick<Store, 'userBySub'>
  /** What the file in force says; undefined: no mail. */
  readonly settings: () => MailSettings | undefined
  readonly log: Pick<Log, 'info' | 'warn'>
}

/** The mail that brings a one-time link: plain text, nothing that is loaded from anywhere. @param to A mail address. */
export function linkMail(to: string, { kind, url, expiresAt, user, maker }: SentLink): Mail {
  const { host } = new URL(url)
  const until = `${new Date(expiresAt * 1_000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const lines = [
    `Hello ${user.displayName ?? user.username},`,
    '',
    ...INTENT[kind](maker ?? 'The operator', host),
    `Your user name there is: ${user.username}`,
    '',
    url,
    '',
    `The link works once, until ${until}. Opening it changes nothing; what you send on its page does.`,
    `If you did not expect this mail, leave the link alone${kind === 'recover' ? ' and tell whoever runs the gateway' : ''}.`,
    '',
  ]
  return { to, subject: SUBJECTS[kind](host), text: lines.join('\n') }
}

/** Sends one-time links and tells the log that it did: whose link it was, never the link or the mail address. */
export function linkSender({ store, settings, log }: LinkSenderOptions): AdminMail {
  return {
    on: () => settings() !== undefined,
    sendLink: async ({ kind, user, url, expiresAt, by }) => {
      const mail = settings()
      if (mail === undefined || user.email === undefined)
        return 'no mail was sent: there is no mail server, or no address'
      const maker = await store.userBySub(by)
      const sent = await sendMail(
        mail,
        linkMail(user.email, { kind, url, expiresAt, user, maker: maker?.displayName ?? maker?.username }),
      )
      if (sent.kind === 'sent') {
        log.info('mail.sent', { kind, sub: user.sub })
        return undefined
      }
      log.warn('mail.failed', { kind, sub: user.sub, fault: sent.fault, detail: sent.problem })
      return sent.problem
    },
  }
}

const SUBJECTS = {
  invite: (host: string) => `Your invitation to ${host}`,
  recover: (host: string) => `Your way back in to ${host}`,
} as const

const INTENT = {
  invite: (maker: string, host: string) => [
    `${maker} invites you to ${host}. Open the link to choose how you sign in.`,
  ],
  recover: (maker: string, host: string) => [
    `${maker} made a link for you that sets a new way to sign in to ${host}.`,
    'When you use it, all your sessions and connected apps there end.',
  ],
} as const
