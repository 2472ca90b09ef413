import { z } from 'zod'
import { parseNetwork } from '../addresses.ts'
import { faulty, type Parsed, parsed, parseLifetime, plainText, textLeaf, wordLeaf } from './leaf.ts'

const DAY_SECONDS = 86_400
const LONGEST_GROUP = 64

const GROUP_NAME = textLeaf('The name of a group.', parseGroup)

const SETTINGS = z
  .strictObject({
    groups: z
      .array(GROUP_NAME)
      .min(1, { error: 'must name at least one group; `admin: false` turns the page off' })
      .meta({ description: 'Groups whose members may see and change everything.' })
      .prefault(['admins']),
    readers: z.array(GROUP_NAME).meta({ description: 'Groups whose members may see everything.' }).prefault([]),
    require: wordLeaf('The least that a sign-in must have been: password, two factors, or a passkey.', [
      'pwd',
      'mfa',
      'phr',
    ]).prefault('pwd'),
    fresh: textLeaf('Age of the sign-in for acts that give access.', (text) =>
      parseLifetime(text, DAY_SECONDS),
    ).prefault('10m'),
    session: textLeaf('How long the page stays open that is not used.', (text) =>
      parseLifetime(text, DAY_SECONDS / 2),
    ).prefault('30m'),
    from: z
      .array(textLeaf('An address, or a network such as 10.0.0.0/8.', parseAdminNetwork))
      .meta({ description: 'Where it may be opened from; elsewhere it is 404. Default everywhere.' })
      .prefault([]),
    keep_refusals: z
      .union([z.literal(0), textLeaf('How long refusals are kept.', (text) => parseKept(text))], {
        error: 'must be a duration such as 7d, or 0 to keep them in memory only',
      })
      .meta({ description: 'How long refusals of known callers are kept in the store; 0: in memory only.' })
      .prefault('7d'),
  })
  .meta({ description: 'The operator’s page.' })

/** `admin`: the operator's page and its API. */
export const ADMIN = z
  .union([z.literal(false, { error: 'must be false, or a map of settings' }), SETTINGS], {
    error: 'must be false, or a map of settings',
  })
  .meta({ description: 'The operator’s page at /admin and its API; `false` turns them off.' })

/** `mail`: how links are sent. */
export const MAIL = z
  .strictObject({
    smtp: textLeaf(
      'smtps://user:password@host:port, or smtp:// for STARTTLS; `?tls=off` sends in clear, without a password.',
      parseSmtp,
    ),
    from: textLeaf('Who the mails are from, such as Gate <gate@example.com>.', parseSender),
  })
  .meta({ description: 'A mail server; without one, links are shown once.' })

/** `issuer.links`: lives of one-time links. */
export const LINKS = z
  .strictObject({
    invite: textLeaf('Life of an invitation.', (text) => parseLifetime(text, 30 * DAY_SECONDS)).prefault('72h'),
    recover: textLeaf('Life of a link that lets somebody in again.', (text) =>
      parseLifetime(text, 7 * DAY_SECONDS),
    ).prefault('1h'),
  })
  .meta({ description: 'Lives of one-time links.' })

function parseGroup(text: string): Parsed<string> {
  const plain = plainText(text)
  if (!plain.ok) return plain
  const fits = text.trim() === text && text.length <= LONGEST_GROUP && !text.includes(',')
  return fits ? parsed(text) : faulty('must be a group name: at most 64 characters, no comma')
}

function parseAdminNetwork(text: string): Parsed<string> {
  return text.startsWith('unix:') ? faulty('must be an address or a network such as 10.0.0.0/8') : parseNetwork(text)
}

function parseKept(text: string): Parsed<number> {
  return text === '0' ? parsed(0) : parseLifetime(text, 90 * DAY_SECONDS)
}

/** What is wrong never repeats the address: it holds a password. */
function parseSmtp(text: string): Parsed<string> {
  const url = URL.parse(text)
  const isSmtp = url?.protocol === 'smtp:' || url?.protocol === 'smtps:'
  if (url === null || !isSmtp || !/^(?:[\w.-]+|\[[0-9a-f:.]+\])$/i.test(url.hostname) || /[\p{Cc}\s]/u.test(text)) {
    return faulty('must be smtps://user:password@host:port')
  }
  if (!areDecodable([url.username, url.password]))
    return faulty('has a user name or password that is not percent-encoded: write % as %25, @ as %40, / as %2F')
  if (!['', '/'].includes(url.pathname) || url.hash !== '') return faulty('must have no path')
  if (url.search === '') return parsed(text)
  if (url.search !== '?tls=off' || url.protocol !== 'smtp:')
    return faulty('may have `?tls=off` behind smtp:// only, and nothing else there')
  return url.username === '' ? parsed(text) : faulty('with `?tls=off` would send the password in clear: leave it out')
}

function areDecodable(texts: readonly string[]): boolean {
  try {
    return texts.every((text) => !/\p{Cc}/u.test(decodeURIComponent(text)))
  } catch {
    return false
  }
}

function parseSender(text: string): Parsed<string> {
  const plain = plainText(text)
  if (!plain.ok) return plain
  return /^(?:[^<>]{0,128} <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/.test(text)
    ? parsed(text)
    : faulty('must be a mail address such as Gate <gate@example.com>')
}
