import { parseHost } from '../../core/address.ts'
import { isLoopbackHost } from '../schema/leaf.ts'
import type { Path } from '../source.ts'
import { type Checking, hasOwnIssuer, present, type RouteDraft, reportDoubles } from './check.ts'

/** Checks what `credentials` and the keys beside it need: an issuer, and for sessions a host of the resource's own. */
export function checkCredentials(checking: Checking): void {
  for (const [index, route] of present(checking.draft.routes)) {
    const path = ['routes', index]
    checkKinds(checking, path, route)
    checkAuthorization(checking, path, route)
    if (takes(route, 'session')) checkSession(checking, path, route)
    else if ((route.sign_out_paths?.length ?? 0) > 0) {
      checking.atKey([...path, 'sign_out_paths'], '`sign_out_paths` need `session` among `credentials`')
    }
  }
}

/** A host that browsers take for this machine: loopback addresses and names, those below `localhost` too (RFC 6761 §6.3). */
function isLoopbackName(host: string): boolean {
  return isLoopbackHost(host) || host.endsWith('.localhost')
}

const OURS = ['session', 'app_password', 'ticket'] as const

function takes({ credentials }: RouteDraft, kind: 'token' | (typeof OURS)[number]): boolean {
  return credentials?.includes(kind) === true
}

function checkKinds(checking: Checking, path: Path, route: RouteDraft): void {
  const kinds = present(route.credentials).map(([at, kind]) => [[...path, 'credentials', at], kind] as const)
  reportDoubles(
    checking,
    kinds,
    (kind) => kind,
    () => 'this kind stands here twice; remove one',
  )
  const needing = kinds.find(([, kind]) => kind !== 'token')
  if (needing === undefined) return
  const [place, kind] = needing
  if (route.public === true) {
    checking.at(place, `a public route asks for nothing; remove \`${kind}\``)
  } else if (!hasOwnIssuer(checking.draft)) {
    checking.at(place, `\`${kind}\` needs the embedded issuer, or \`issuer: { upstream }\`: it is made there`)
  } else if (!takesOwnTokens(checking, route)) {
    checking.at(place, `\`${kind}\` needs a resource that accepts tokens of the embedded issuer (\`issuers\`)`)
  }
}

function takesOwnTokens({ draft }: Checking, { resource }: RouteDraft): boolean {
  const found = present(draft.resources).find(([, { id }]) => id !== undefined && id === resource)?.[1]
  const issuers = found?.issuers
  return issuers === undefined || issuers.some((issuer) => issuer === undefined || issuer === 'embedded')
}

function checkAuthorization(checking: Checking, path: Path, route: RouteDraft): void {
  if (route.authorization !== 'upstream') return
  for (const key of ['headers', 'set_headers'] as const) {
    for (const name of route[key]?.keys() ?? []) {
      if (name.toLowerCase() !== 'authorization') continue
      checking.atKey(
        [...path, key, name],
        'with `authorization: upstream` the field is the client’s; remove one of both',
      )
    }
  }
}

/** What scripts of one host may do with its cookie, they may do at every path of it: a path is no boundary in a browser. */
function checkSession(checking: Checking, path: Path, route: RouteDraft): void {
  const { public_url: publicUrl, sessions } = checking.draft
  const place = [...path, 'credentials']
  if (route.host === undefined) {
    // A host that stands there but could not be read has its own problem already.
    if (checking.shown([...path, 'host']) !== '``') return
    checking.at(place, '`session` needs a `host` of the resource’s own: scripts of one app could use another’s cookie')
    return
  }
  const url = publicUrl === undefined ? undefined : new URL(publicUrl)
  if (url?.protocol === 'http:' && !isLoopbackName(route.host)) {
    const text = '`session` over http is for loopback hosts only (`*.localhost` is one); write an https `public_url`'
    checking.at([...path, 'host'], text)
  }
  if (sessions?.shared_origin !== false) return
  const allow = '`sessions: { shared_origin: true }` allows it'
  if (url !== undefined && route.host === parseHost(url.hostname)) {
    checking.at(place, `\`session\` on the host of \`public_url\`: a script there could approve consent; ${allow}`)
  }
  const other = otherResource(checking, route)
  if (other === undefined) return
  const text = `the route in line ${other} has another resource on this host, whose scripts could use the cookie`
  checking.at(place, `${text}; give each resource a host of its own, or ${allow}`)
}

/** The line of a route with another resource on the same host; one without a host is on every host. */
function otherResource(checking: Checking, route: RouteDraft): number | undefined {
  const found = present(checking.draft.routes).find(([, other]) => {
    if (other === route || other.resource === undefined || other.resource === route.resource) return false
    return other.host === undefined || other.host === route.host
  })
  return found === undefined ? undefined : checking.line(['routes', found[0]])
}
