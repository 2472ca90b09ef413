import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'

interface Received {
  readonly from: string
  readonly to: readonly string[]
  /** Header fields as they came, unfolded; names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Decoded. */
  readonly text: string
  readonly secure: boolean
  readonly user: string | undefined
}

/** A mail server on loopback that keeps what it is given. */
export interface MailServer {
  readonly port: number
  readonly received: Received[]
  close(): Promise<void>
}

/** What `mail.smtp` says as user and password there. */
export const MAIL_USER = { user: 'gate', pass: 'hush:hush/hush@hush' }

export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const received: Received[] = []
  const server = new SMTPServer({
    allowInsecureAuth: true,
    disabledCommands: options.key === undefined ? ['STARTTLS'] : [],
    authOptional: true,
    onAuth: ({ username, password }, _session, done) => {
      if (username !== MAIL_USER.user || password !== MAIL_USER.pass) return done(new Error('no'))
      done(null, { user: username })
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        received.push({
          ...parsed(Buffer.concat(chunks).toString()),
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user,
        })
        done()
      })
    },
    ...options,
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

function parsed(mail: string): Pick<Received, 'headers' | 'text'> {
  const [head = '', ...rest] = mail.split('\r\n\r\n')
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return { headers, text: decoded(rest.join('\r\n\r\n'), headers.get('content-transfer-encoding') ?? '7bit') }
}

function decoded(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString()
  if (encoding !== 'quoted-printable') return body
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}
