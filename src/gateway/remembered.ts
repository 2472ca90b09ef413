import type { Denial } from '../core/denial.ts'
import { ownText, renderFieldLines } from '../core/headers/fields.ts'
import type { ResolvedClient } from '../core/headers/forwarded.ts'
import type { Disposition, HeaderPolicy } from '../core/headers/header-policy.ts'
import type { IdentityFault } from '../core/headers/identity.ts'
import type { Presented } from '../core/presented.ts'
import type { Route, Upstream } from '../core/route.ts'
import type { VerifiedToken } from '../core/token.ts'

// What was worked out for field lines, tokens and names that come again. One rule of validity: an entry lies beside the very text or token that it
// is about, and holds for exactly the objects that it names besides (a policy, a route, an upstream); for others it is worked out anew. A reload
// makes other objects, so that nothing outlives the file that it was made by.

/** A policy, of which nothing but its being the same is asked here. */
type PolicyKey = object

/** What a connection's field lines say of where a request comes from and goes, whatever its target; for one policy. */
export interface Origin {
  readonly policy: PolicyKey
  readonly peerAddress: string
  readonly tls: boolean
  readonly client: ResolvedClient
  /** The Host field as it came. */
  readonly hostHeader: string
  /** Of the Host field; undefined when the request is refused. */
  readonly host: string | undefined
  readonly denial: Denial | undefined
}

/** The lines for an upstream that stay the same while a connection's field lines do, and what they were made for. */
export interface UpstreamLines {
  readonly policy: PolicyKey
  readonly route: Route
  readonly upstream: Upstream
  /** For a request with a token; one without keeps an Authorization of another scheme. */
  readonly identified: boolean
  readonly lines: string
  readonly addsRequestId: boolean
}

/** What the field lines show of who it is, at one route. */
export interface Shown {
  readonly policy: PolicyKey
  readonly route: Route
  /** Undefined where the token is not among the lines: it is another each time. */
  readonly presented: Presented | undefined
  /** The gateway's own field is among the lines. */
  readonly hasOwnField: boolean
  readonly session: ShownSession
}

/** A browser's cookie. `foreign`: it came along with a request that somebody else's page made. */
export type ShownSession =
  | { readonly kind: 'none' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'cookie'; readonly idHash: string; readonly origin: string }

/** What was worked out about field lines that came before on the same connection: the last of each kind. */
export class FieldsMemo {
  #origin: Origin | undefined
  #upstreamLines: UpstreamLines | undefined
  #shown: Shown | undefined

  /** The connection's other end, whatever the policy. */
  get peer(): Pick<Origin, 'peerAddress' | 'tls'> | undefined {
    return this.#origin
  }

  /** Whether the gateway's own field is among the lines, whatever the policy. */
  get hasOwnField(): boolean | undefined {
    return this.#shown?.hasOwnField
  }

  origin(policy: PolicyKey): Origin | undefined {
    return this.#origin?.policy === policy ? this.#origin : undefined
  }

  shown(policy: PolicyKey, route: Route): Shown | undefined {
    return this.#shown?.policy === policy && this.#shown.route === route ? this.#shown : undefined
  }

  upstreamLines(policy: PolicyKey, route: Route, upstream: Upstream, identified: boolean): UpstreamLines | undefined {
    const known = this.#upstreamLines
    const isSame = known?.policy === policy && known.route === route && known.upstream === upstream
    return isSame && known.identified === identified ? known : undefined
  }

  keepOrigin(origin: Origin): void {
    this.#origin = origin
  }

  keepShown(shown: Shown): void {
    this.#shown = shown
  }

  keepUpstreamLines(lines: UpstreamLines): void {
    this.#upstreamLines = lines
  }
}

/** The same answers as the policy that it was made of, for less. */
export interface RememberedHeaders extends HeaderPolicy {
  /** What `addedBy` answers, as field lines; undefined where there is a fault, or a line would not be of the grammar. */
  addedLines(route: Route, token: VerifiedToken | undefined): string | undefined
}

/** What one route adds for a token: in the form that was asked for, the other one would be memory for nothing. */
interface Added {
  readonly headers: HeaderPolicy
  readonly route: Route
  fields: readonly string[] | IdentityFault | undefined
  lines: string | undefined
}

/** Keeps what a policy says of names, and what it adds for a token as long as the token is kept. */
export function rememberHeaders(headers: HeaderPolicy): RememberedHeaders {
  const withoutToken = new Map<Route, Added>()
  const addedFor = (route: Route, token: VerifiedToken | undefined): Added => {
    const known = token === undefined ? withoutToken.get(route) : addedBefore(token)
    if (known?.headers === headers && known.route === route) return known
    const added: Added = { headers, route, fields: undefined, lines: undefined }
    if (token === undefined) withoutToken.set(route, added)
    else token.memo.added = added
    return added
  }
  return {
    protectedNames: headers.protectedNames,
    dispositionOf: rememberNames((name) => headers.dispositionOf(name)),
    addedBy: (route, token) => {
      const added = addedFor(route, token)
      added.fields ??= headers.addedBy(route, token)
      return added.fields
    },
    addedLines: (route, token) => {
      const added = addedFor(route, token)
      added.lines ??= linesOf(headers.addedBy(route, token))
      return added.lines
    },
  }
}

/** One route's: a token is mostly used on one, and what is kept of each is memory. */
function addedBefore({ memo }: VerifiedToken): Added | undefined {
  // Nobody else writes there.
  return memo.added as Added | undefined
}

function linesOf(added: readonly string[] | IdentityFault): string | undefined {
  return 'fault' in added ? undefined : renderFieldLines(added)
}

// More names than honest clients use; beyond it the memory of names starts anew, so that it stays bounded.
const MAX_NAMES = 512
const LONGEST_NAME = 64

function rememberNames(classify: (name: string) => Disposition): (name: string) => Disposition {
  const remembered = new Map<string, Disposition>()
  return (name) => {
    const known = remembered.get(name)
    if (known !== undefined) return known
    const disposition = classify(name)
    if (remembered.size >= MAX_NAMES) remembered.clear()
    if (name.length <= LONGEST_NAME) remembered.set(ownText(name), disposition)
    return disposition
  }
}
