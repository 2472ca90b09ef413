import type { AdminMail } from '../../admin/dependencies.ts'
import type { MailSettings } from '../../config/config.ts'
import type { Log } from '../../observe/log.ts'
import type { Store } from '../../store/store.ts'
import { linkMail } from './link-mail.ts'
import { sendMail } from './mailer.ts'

export interface LinkSenderOptions {
  readonly store: Pick<Store, 'userBySub'>
  /** What the file in force says; undefined: no mail. */
  readonly settings: () => MailSettings | undefined
  readonly log: Pick<Log, 'info' | 'warn'>
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
