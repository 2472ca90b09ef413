import type { MailSettings } from '../../config/config.ts'
import { isLoopbackHost } from '../../config/schema/leaf.ts'
import { trustSystemRoots } from '../../proxy/trusted-roots.ts'

/** One mail in plain text. */
export interface Mail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

/** `problem` is for the operator; it holds neither the server's address, nor what it answered, nor who the mail was for. */
type MailOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'failed'; readonly fault: string; readonly problem: string }

const CONNECT_MS = 10_000
/** All of it: a server that answers slowly holds nobody up for longer. */
const WHOLE_MS = 20_000

/** Hands one mail to the mail server. Never throws. @param wholeMs For all of it, milliseconds. */
export async function sendMail(
  settings: MailSettings,
  { to, subject, text }: Mail,
  wholeMs = WHOLE_MS,
): Promise<MailOutcome> {
  if (!ADDRESS.test(to)) return { kind: 'failed', fault: 'EENVELOPE', problem: NO_ADDRESS }
  // Loaded where it is needed: most gateways send none.
  const { createTransport } = await import('nodemailer')
  const from = senderOf(settings.from)
  const transport = createTransport({ ...serverOf(settings.smtp), ...TIMES })
  try {
    await transport.sendMail({
      from,
      to: { name: '', address: to },
      // Said apart, so that nothing in a header is ever read as a further recipient.
      envelope: { from: from.address, to: [to] },
      subject,
      text,
      // RFC 3834: nobody's absence is announced to a machine.
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
      signal: AbortSignal.timeout(wholeMs),
    })
    return { kind: 'sent' }
  } catch (error) {
    return failureOf(error)
  } finally {
    transport.close()
  }
}

/** What a command of SMTP and a header read as one address alike (RFC 5322 §3.4.1, without quoted and literal forms). */
const ADDRESS = /^[^\s\p{Cc}@<>(),;:\\"[\]]+@[^\s\p{Cc}@<>(),;:\\"[\]]+$/u
const NO_ADDRESS = 'the mail address of this person is none that a mail can be sent to'

const TIMES = {
  connectionTimeout: CONNECT_MS,
  greetingTimeout: CONNECT_MS,
  socketTimeout: CONNECT_MS,
  dnsTimeout: CONNECT_MS,
  maxResponseSize: 64 * 1024,
}

/** The certificate is checked against the system's roots. Without TLS only where nobody listens, or where the file says so. */
function serverOf(smtp: string) {
  const url = new URL(smtp)
  const secure = url.protocol === 'smtps:'
  if (secure || !isPlain(url)) trustSystemRoots()
  const auth = { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ...(secure ? {} : isPlain(url) ? { ignoreTLS: true } : { requireTLS: true }),
    ...(url.username === '' ? {} : { auth }),
    tls: { minVersion: 'TLSv1.2' as const },
  }
}

function isPlain(url: URL): boolean {
  return url.searchParams.get('tls') === 'off' || isLoopbackHost(url.hostname)
}

function senderOf(from: string): { readonly name: string; readonly address: string } {
  const [, name = '', address = from] = /^(.*) <([^<>]+)>$/.exec(from) ?? []
  return { name, address }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EAUTH: 'the mail server refused the user name or the password of `mail.smtp`',
  ENOAUTH: 'the mail server wants a user name and a password in `mail.smtp`',
  ETLS: 'no TLS with the mail server: it offers none, or its certificate is not one for its name that the system trusts',
  EENVELOPE: 'the mail server refused the sender (`mail.from`) or the recipient',
  EMESSAGE: 'the mail server refused the mail',
  EDNS: 'the name of the mail server was not found',
  ETIMEDOUT: 'the mail server did not answer in time',
  EABORT: 'the mail server did not answer in time',
}

function failureOf(error: unknown): MailOutcome {
  const member = (name: string): unknown => (error instanceof Error ? Reflect.get(error, name) : undefined)
  const fault = typeof member('code') === 'string' ? String(member('code')) : 'unknown'
  const answered = typeof member('responseCode') === 'number' ? ` (it answered ${member('responseCode')})` : ''
  const said = PROBLEMS[isCertificate(error) ? 'ETLS' : fault] ?? 'the mail server could not be reached'
  return { kind: 'failed', fault, problem: `${said}${answered}` }
}

/** A socket's fault of its own kind: nodemailer keeps what TLS said beside it. */
function isCertificate(error: unknown): boolean {
  const original = error instanceof Error ? String(Reflect.get(error, 'originalCode') ?? '') : ''
  return /CERT|SIGNATURE|ALTNAME|SSL|TLS/.test(original)
}
