import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { isLoopbackHost } from '../config/schema/leaf.ts'
import type { Resource } from '../core/resource.ts'
import type { Route } from '../core/route.ts'

/** A sample server: where its route expects it, and where clients find it. */
interface DemoSample {
  readonly host: string
  readonly port: number
  /** Public, without trailing slash. */
  readonly url: string
  /** Its RFC 8707 identifier. */
  readonly resource: string
}

/** What the demo starts and speaks of. */
export interface DemoPlan {
  /** Origin of public_url. */
  readonly origin: string
  readonly photos: DemoSample
  readonly files: DemoSample
  readonly site: { readonly host: string; readonly port: number }
  /** Where the store is; the demo's passwords lie beside it. */
  readonly folder: string
  /** Those of the embedded issuer. */
  readonly resources: readonly Resource[]
}

/**
 * What the demo does with this file, or a line that says why it does nothing: its passwords are printed, so it stays on this
 * machine, and its servers believe headers, so they do too.
 */
export function planDemo(config: Config): DemoPlan | string {
  if (config.store.kind !== 'sqlite') return '--demo: needs a store of its own: take `store:` out of the file'
  const problem = placeProblem(config)
  if (problem !== undefined) return `--demo: ${problem}`
  const [photos, files, site] = ['photos', 'files', 'demo'].map((id) => upstreamOf(config, id))
  for (const found of [photos, files, site]) if (typeof found === 'string') return `--demo: ${found}`
  if (typeof photos !== 'object' || typeof files !== 'object' || typeof site !== 'object') return '--demo: no routes'
  if (photos.resource === undefined) return '--demo: route photos needs a resource'
  if (files.resource === undefined) return '--demo: route files needs a resource'
  return {
    origin: config.publicOrigin,
    photos: { ...photos, resource: photos.resource },
    files: { ...files, resource: files.resource },
    site: { host: site.host, port: site.port },
    folder: dirname(config.store.path),
    resources: config.resources.filter((resource) => resource.issuers.includes(config.publicUrl)),
  }
}

function placeProblem({ issuer, listen, publicUrl, publicOrigin, publicHost }: Config): string | undefined {
  if (issuer.kind !== 'embedded') return 'needs the embedded issuer: take `issuer:` out of the file'
  if (!('port' in listen)) return 'needs a port that browsers can reach: set `listen: localhost:8080`'
  if (!isLoopback(listen.host)) {
    return `refuses to listen on ${listen.host === '' ? 'every address' : listen.host}: its passwords are for this machine only; set \`listen: localhost:${listen.port}\``
  }
  if (!isLoopback(publicHost)) {
    return `refuses the public address ${publicUrl}: its passwords are for this machine only; set \`public_url: http://localhost:${listen.port}\``
  }
  const { port, protocol } = new URL(publicOrigin)
  const publicPort = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  if (publicPort === listen.port) return undefined
  return `public_url has port ${publicPort}, listen has ${listen.port}: write the same in both, and in the resource ids`
}

interface Found {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly resource: string | undefined
}

function upstreamOf({ routes, publicOrigin }: Config, id: string): Found | string {
  const route = routes.find((each) => each.id === id)
  const [upstream] = route?.upstreams ?? []
  if (route === undefined || upstream === undefined) {
    return `the file has no route ${id}: the repository's routes.yaml has what the demo needs`
  }
  const { protocol, hostname: host, port, basePath } = upstream
  if (protocol !== 'http:' || !isLoopback(host) || basePath !== '') {
    return `the upstream of route ${id} must be http on this machine without a path, such as http://127.0.0.1:9081`
  }
  return { host, port, url: `${publicOrigin}${route.path === '/' ? '' : route.path}`, resource: resourceOf(route) }
}

function resourceOf({ access }: Route): string | undefined {
  return access.kind === 'protected' ? access.resource.identifier : undefined
}

function isLoopback(host: string): boolean {
  return isLoopbackHost(host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)
}
