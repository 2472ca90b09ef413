import { parseHost } from '../../core/address.ts'
import type { PathPattern } from '../../core/paths/pattern.ts'
import { relyingPartyOf } from '../../core/relying-party.ts'
import type { Path } from '../source.ts'
import { type Checking, hasOwnIssuer, present, type RouteDraft } from './check.ts'

/** Warns of what is allowed and somebody should have meant: the file is good all the same. */
export function checkWarnings(checking: Checking): void {
  for (const [index, route] of present(checking.draft.routes)) {
    const path = ['routes', index]
    warnOfSharedOrigin(checking, path, route)
    warnOfGivenAway(checking, path, route)
    warnOfLetterCase(checking, path, route)
    warnOfForeignSignIns(checking, path, route)
    if (route.upstream_tls?.verify === false)
      checking.warn(
        [...path, 'upstream_tls', 'verify'],
        '`upstream_tls.verify: false` takes any server for the upstream',
      )
  }
  warnOfNoPasskeys(checking)
  warnOfElsewhere(checking)
  if (checking.draft.mail?.smtp?.endsWith('?tls=off') === true)
    checking.warn(['mail', 'smtp'], '`?tls=off`: whoever can listen on the way to the mail server can use the links')
  if (checking.draft.sessions?.shared_origin === true) {
    checking.warn(
      ['sessions', 'shared_origin'],
      '`shared_origin: true`: scripts of one app can use the session of another on the same host, and on that of `public_url` approve consent',
    )
  }
  for (const [index, { insecure_http: insecure }] of present(checking.draft.trusted_issuers)) {
    if (insecure !== true) continue
    checking.warn(
      ['trusted_issuers', index, 'insecure_http'],
      '`insecure_http: true`: whoever can listen between here and the issuer can make tokens',
    )
  }
}

/** Browsers make passkeys for a name, over https; on localhost over http, too. */
function warnOfNoPasskeys(checking: Checking): void {
  const { public_url: publicUrl, issuer } = checking.draft
  if (publicUrl === undefined || !hasOwnIssuer(checking.draft) || relyingPartyOf(publicUrl) !== undefined) return
  if (typeof issuer === 'object' && 'sign_in' in issuer && issuer.sign_in?.passkeys === 'off') return
  checking.warn(
    ['public_url'],
    'no passkeys are offered: browsers make them for a host name with https (or localhost) only; name one here, or say `issuer.sign_in.passkeys: off`',
  )
}

const OF_THE_ISSUER = ['groups', 'readers', 'require', 'fresh', 'session', 'keep_refusals'] as const

/** The operator's page and the people are where the issuer is: what is said of them elsewhere would be believed to hold. */
function warnOfElsewhere(checking: Checking): void {
  const { issuer } = checking.draft
  const isAlone = issuer === false
  if (!isAlone && !(issuer !== undefined && 'upstream' in issuer)) return
  const where = isAlone ? 'there is no issuer here (`issuer: false`)' : 'say it at the audgate that holds the issuer'
  const keys = OF_THE_ISSUER.map((key) => ['admin', key])
  for (const path of [...keys, ['mail'], ...(isAlone ? [['admin', 'from']] : [])])
    if (checking.isWritten(path)) checking.warnKey(path, `\`${path.join('.')}\` does nothing: ${where}`)
}

/** Whether tokens of another issuer say how and when somebody signed in is that issuer's to know. */
function warnOfForeignSignIns(checking: Checking, path: Path, route: RouteDraft): void {
  const { resources, trusted_issuers: trusted } = checking.draft
  const resource = present(resources).find(([, { id }]) => id !== undefined && id === route.resource)?.[1]
  const foreign = present(trusted).filter(
    ([, { issuer }]) => issuer !== undefined && present(resource?.issuers).some(([, name]) => name === issuer),
  )
  for (const [at, rule] of present(route.rules)) {
    for (const [index, { issuer, acr }] of foreign) {
      const place = `${issuer} (line ${checking.line(['trusted_issuers', index])})`
      if (rule.acr !== undefined && acr === undefined)
        checking.warn(
          [...path, 'rules', at, 'acr'],
          `tokens of ${place} are refused here: say by \`acr\` of that trusted issuer what its values mean`,
        )
      if (rule.max_age !== undefined)
        checking.warn(
          [...path, 'rules', at, 'max_age'],
          `tokens of ${place} are refused here unless they have \`auth_time\`; see that it puts one in`,
        )
    }
  }
}

/** The issuer's pages go by cookie: a script of the same origin is a visitor who is signed in. */
function warnOfSharedOrigin(checking: Checking, path: Path, { host }: RouteDraft): void {
  const { public_url: publicUrl } = checking.draft
  if (publicUrl === undefined || !hasOwnIssuer(checking.draft)) return
  const publicHost = parseHost(new URL(publicUrl).hostname)
  if (host !== undefined && host !== publicHost) return
  checking.warn(
    path,
    `the route shares the origin of \`public_url\` (line ${checking.line(['public_url'])}), where people sign in: scripts that its server hands out run there; give it a \`host\` of its own`,
  )
}

function warnOfGivenAway(checking: Checking, path: Path, route: RouteDraft): void {
  const { public: open, set_headers: set } = route
  const isOpen = open === true || (Array.isArray(open) ? open.length > 0 : open !== undefined)
  if (!isOpen || set === undefined || set.size === 0) return
  checking.warnKey(
    [...path, 'set_headers'],
    `\`set_headers\` goes with requests that \`public\` (line ${checking.line([...path, 'public'])}) lets through without a token, too: what the header opens is open to everybody there`,
  )
}

type OwnedPattern = readonly [owner: string, place: Path, pattern: PathPattern]

/** Two rules whose paths are one where letter case is ignored: nobody could tell which one is meant. */
function warnOfLetterCase(checking: Checking, path: Path, route: RouteDraft): void {
  if (route.case === 'sensitive') return
  const seen = new Map<string, OwnedPattern[]>()
  for (const each of patternsOf(path, route)) {
    const [owner, place, { segments, folded }] = each
    const key = folded.join('/')
    const alike = seen.get(key) ?? []
    seen.set(key, [...alike, each])
    const twin = alike.find(
      ([other, , pattern]) => other !== owner && pattern.segments.join('/') !== segments.join('/'),
    )
    if (twin === undefined) continue
    checking.warn(
      place,
      `${checking.shown(place)} differs from the path in line ${checking.line(twin[1])} in letter case only: where the two decide otherwise, a request is 400; write \`case: sensitive\` if the server behind tells them apart`,
    )
  }
}

function patternsOf(path: Path, { public: open, rules }: RouteDraft): readonly OwnedPattern[] {
  const inPublic = open === undefined || open === true ? [] : 'paths' in open ? open.paths : open
  const place = open !== undefined && open !== true && 'paths' in open ? ['public', 'paths'] : ['public']
  const ofRules = present(rules).flatMap(([index, rule]) =>
    present(rule.paths).map(
      ([at, pattern]): OwnedPattern => [`rule ${index}`, [...path, 'rules', index, 'paths', at], pattern],
    ),
  )
  return [
    ...present(inPublic).map(([at, pattern]): OwnedPattern => ['public', [...path, ...place, at], pattern]),
    ...ofRules,
  ]
}
