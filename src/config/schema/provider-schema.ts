import { z } from 'zod'
import { parseTcpAddress } from '../addresses.ts'
import type { TcpAddress } from '../config.ts'
import {
  booleanLeaf,
  faulty,
  type Parsed,
  parsed,
  parseLifetime,
  parseSafeUrl,
  plainText,
  textLeaf,
  wordLeaf,
} from './leaf.ts'
import { PRESET_NAMES } from './provider-presets.ts'
import { nameKey } from './resource-schema.ts'

const DAY_SECONDS = 86_400
/** More buttons than anybody would look through. */
export const MOST_PROVIDERS = 16

const TAKEN = { error: 'must be all, mapped, or a list of names' }

const GROUPS = z
  .strictObject({
    claim: z
      .union([z.literal(false), textLeaf('Claim with the groups, or a path of names with dots.', plainText)], {
        error: 'must be the name of a claim, or false',
      })
      .meta({ description: 'Claim with the groups; `false`: this provider says nothing about groups.' })
      .optional(),
    from: wordLeaf('Where the claim stands.', ['id_token', 'userinfo', 'both']).optional(),
    form: wordLeaf('What the claim looks like.', ['list', 'keys', 'words']).optional(),
    take: z
      .union([z.enum(['all', 'mapped'], TAKEN), z.array(textLeaf('A group.', plainText))], TAKEN)
      .meta({ description: 'Which of its groups count.' })
      .optional(),
    map: z
      .record(nameKey(plainText), textLeaf('The group that it is here.', parseOwnGroup))
      .meta({ description: 'From its names to those used here.' })
      .optional(),
    prefix: textLeaf('Put before every name that is taken.', parsePrefix).prefault(''),
  })
  .meta({ description: 'Which groups come from there.' })

const ALLOW = z
  .strictObject({
    anyone: booleanLeaf('Says aloud that everybody who can sign in there may come in.').prefault(false),
    groups: names('Groups, as the provider names them; one of them.', plainText),
    email_domains: names('Domains of verified addresses.', parseDomain),
    tenants: names('Tenant ids of Entra.', plainText),
    hosted_domains: names('Google Workspace domains.', parseDomain),
  })
  .meta({ description: 'Who may sign in; every list that is not empty has to be met.' })

/** One entry of `issuer.providers`. Keys that depend on each other are checked in check-providers.ts. */
export const PROVIDER = z
  .strictObject({
    issuer: textLeaf('Exactly the `issuer` of its metadata.', parseIssuer),
    client_id: textLeaf('The client id that it gave.', plainText),
    client_secret: textLeaf('The secret that it gave; from the environment.', plainText),
    id: textLeaf('In paths and in the audit; default the name of the preset.', parseId).optional(),
    name: textLeaf('On the button.', plainText).optional(),
    preset: wordLeaf('What kind it is; default what its issuer looks like.', PRESET_NAMES).optional(),
    discovery: textLeaf('Where its metadata is, when that is elsewhere.', parseDiscovery).optional(),
    client_auth: wordLeaf('How the client authenticates.', ['auto', 'basic', 'post']).optional(),
    scopes: z
      .array(textLeaf('A scope.', parseScope))
      .min(1, { error: 'must name at least one scope' })
      .meta({ description: 'What is asked for; default what the preset says.' })
      .optional(),
    groups: GROUPS.prefault({}),
    username: z
      .strictObject({
        claim: textLeaf('Claim with the user name.', plainText).optional(),
        suffix: textLeaf('Put behind it.', parseSuffix).optional(),
      })
      .meta({ description: 'What a new account is called.' })
      .prefault({}),
    person: textLeaf('The claim that is the person.', plainText).optional(),
    email: wordLeaf('Which mail address counts.', ['verified', 'as_sent', 'none']).prefault('verified'),
    accounts: wordLeaf('Whether a first sign-in makes an account.', ['create', 'existing']).prefault('create'),
    allow: ALLOW.prefault({}),
    recheck: lifetime('How old its word may be when a token is made.', 10, 900, '10s to 15m').prefault('1m'),
    on_unreachable: lifetime('How long its last word serves while it is silent.', 0, DAY_SECONDS, '0s to 24h').prefault(
      '1h',
    ),
    without_recheck: lifetime(
      'Life of a sign-in for which there is nothing to ask again with.',
      300,
      30 * DAY_SECONDS,
      '5m to 30d',
    ).prefault('12h'),
    sign_out: wordLeaf('Whether signing out here signs out there too.', ['local', 'provider']).prefault('local'),
    connect: z
      .strictObject({
        address: textLeaf('Where connections go, HOST:PORT; names stay.', parseAddress).optional(),
        ca: textLeaf('PEM file with the authority of its certificate, relative to this file.', plainText).optional(),
      })
      .meta({ description: 'How to get there from here.' })
      .prefault({}),
  })
  .meta({ description: 'An OpenID provider that people sign in at.' })

function names(describe: string, parse: (text: string) => Parsed<string>) {
  return z.array(textLeaf('One of them.', parse)).meta({ description: describe }).prefault([])
}

function lifetime(describe: string, least: number, most: number, range: string) {
  return textLeaf(describe, (text) => {
    if (least === 0 && /^0(?:ms|s|m|h|d)$/.test(text)) return parsed(0)
    const result = parseLifetime(text, Number.MAX_SAFE_INTEGER)
    if (!result.ok) return result
    return result.value >= least && result.value <= most ? result : faulty(`must be from ${range}`)
  })
}

function parseIssuer(text: string): Parsed<string> {
  const result = parseSafeUrl(text)
  if (!result.ok) return result
  return text.includes('?') ? faulty('must not have a query') : parsed(text)
}

/** Some tell by the query which of their metadata is meant. */
function parseDiscovery(text: string): Parsed<string> {
  const result = parseSafeUrl(text)
  return result.ok ? parsed(text) : result
}

function parseId(text: string): Parsed<string> {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text)
    ? parsed(text)
    : faulty('must be 1 to 32 characters of a-z, 0-9 and -, beginning with a letter')
}

function parseScope(text: string): Parsed<string> {
  return /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(text)
    ? parsed(text)
    : faulty('must be a scope: printable ASCII without spaces, " and \\')
}

/** As accounts have them: what is longer or stranger could never be granted anything. */
function parseOwnGroup(text: string): Parsed<string> {
  if (text.length > 64 || text.includes(',') || text.trim() !== text) {
    return faulty('must be a group: at most 64 characters, without comma and without spaces around it')
  }
  return plainText(text)
}

function parsePrefix(text: string): Parsed<string> {
  if (text === '') return parsed(text)
  return text.length > 32 || text.includes(',') || text.trimStart() !== text
    ? faulty('must be at most 32 characters, without comma, and not begin with a space')
    : plainText(text)
}

function parseSuffix(text: string): Parsed<string> {
  if (text === '') return parsed(text)
  return text.length > 32 ? faulty('must be at most 32 characters') : plainText(text)
}

function parseDomain(text: string): Parsed<string> {
  return /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(text)
    ? parsed(text.toLowerCase())
    : faulty('must be a domain such as example.com, without @')
}

function parseAddress(text: string): Parsed<TcpAddress> {
  const result = parseTcpAddress(text)
  if (!result.ok) return result
  return result.value.host === '' || result.value.port === 0
    ? faulty('must be HOST:PORT, such as 10.0.0.5:443')
    : result
}
