import { dirname, resolve } from 'node:path'
import type { Upstream } from '../../core/route.ts'
import { isLoopbackHost } from '../schema/leaf.ts'
import type { Path } from '../source.ts'
import { type Checking, type FileDraft, present } from './check.ts'

/** A place that is connected to. `host` without brackets. */
type Place = Host | { readonly socket: string }

interface Host {
  readonly host: string
  readonly port: number
}

/** Checks that nothing that is asked for answers is this gateway itself: requests would come back to it. @param file Its folder is what the path of a socket is relative to. */
export function checkLoops(checking: Checking, file: string): void {
  for (const [path, place] of targetsOf(checking.draft)) {
    const own = ownPlace(checking.draft, place, file)
    if (own !== undefined) checking.at(path, `is this gateway itself (\`${own}\`); requests would come back to it`)
  }
}

type Targets = readonly (readonly [Path, Place])[]

function targetsOf({ routes, issuer }: FileDraft): Targets {
  const upstreams = present(routes).flatMap(([index, { upstream }]): Targets => {
    const path = ['routes', index, 'upstream']
    if (upstream === undefined) return []
    if ('hostname' in upstream) return [[path, placeOf(upstream)]]
    return present(upstream).map(([at, each]) => [[...path, at], placeOf(each)])
  })
  const followed = issuer !== undefined && issuer !== false && 'upstream' in issuer ? issuer.upstream : undefined
  if (followed === undefined) return upstreams
  if (typeof followed === 'string') return [...upstreams, [['issuer', 'upstream'], placeOfUrl(new URL(followed))]]
  const issuers = present<string>(followed).map(
    ([at, each]) => [['issuer', 'upstream', at], placeOfUrl(new URL(each))] as const,
  )
  return [...upstreams, ...issuers]
}

function placeOf({ hostname, port, socketPath }: Upstream): Place {
  return socketPath === undefined ? { host: hostname, port } : { socket: socketPath }
}

function placeOfUrl({ protocol, hostname, port }: URL): Host {
  const standard = protocol === 'https:' ? 443 : 80
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? standard : Number(port) }
}

/** The key of the file that says that the place is ours. */
function ownPlace(
  { listen, management, public_url: publicUrl }: FileDraft,
  place: Place,
  file: string,
): string | undefined {
  if ('socket' in place) {
    const ours = listen !== undefined && 'path' in listen && resolve(dirname(file), listen.path) === place.socket
    return ours ? 'listen' : undefined
  }
  if (listen !== undefined && 'port' in listen && meets(listen, place)) return 'listen'
  if (management !== undefined && meets(management, place)) return 'management'
  if (publicUrl === undefined) return undefined
  const known = placeOfUrl(new URL(publicUrl))
  return known.host === place.host && known.port === place.port ? 'public_url' : undefined
}

/** Whether a listener on `own` takes what is sent to `asked`; other names of this machine are known to the system only. */
function meets(own: Host, target: Host): boolean {
  if (own.port === 0 || own.port !== target.port) return false
  if (own.host === target.host) return true
  if (EVERY.includes(own.host)) return isLocal(target.host)
  // `localhost` is both loopback addresses, and connecting to "every address" reaches this machine.
  return (
    [own.host, target.host].some((host) => host === 'localhost' || EVERY.includes(host)) &&
    isLocal(own.host) &&
    isLocal(target.host)
  )
}

const EVERY = ['', '0.0.0.0', '::']

function isLocal(host: string): boolean {
  return EVERY.includes(host) || host === '::1' || isLoopbackHost(host)
}
