import type { Mail } from './mailer.ts'

/** A one-time link on its way to whom it is for. */
export interface SentLink {
  readonly kind: 'invite' | 'recover'
  readonly url: string
  /** NumericDate. */
  readonly expiresAt: number
  readonly user: { readonly username: string; readonly displayName?: string | undefined }
  /** Who made it, in words; undefined: a command of the machine. */
  readonly maker: string | undefined
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
