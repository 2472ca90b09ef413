import { parseAuthority } from '../address.ts'

/** Names under which clients may reach us. What a request says of itself is believed only where it is one of them. */
export interface OwnAuthorities {
  /** `host[:port]` of `public_url`: what others are told where the request's own is none of ours. */
  readonly main: string
  /** Whether `authority` is ours. @param protocol What its default port depends on. */
  owns(protocol: 'http' | 'https', authority: string): boolean
}

interface AuthoritySources {
  /** Absolute http(s) URLs that lead to us: `public_url` (the first), ids of resources. */
  readonly urls: readonly string[]
  /** Hosts that routes name, on every port. */
  readonly hosts: readonly string[]
  /** The port that is listened on when that is loopback's alone, 0 for any; undefined: it isn't. */
  readonly loopbackPort: number | undefined
}

/** '' is the default port; undefined is any. */
interface Own {
  readonly host: string
  readonly port: string | undefined
}

export function createOwnAuthorities({ urls, hosts, loopbackPort }: AuthoritySources): OwnAuthorities {
  const [main = ''] = urls.map((url) => partsOf(url).authority)
  const port = loopbackPort === 0 ? undefined : String(loopbackPort)
  const loopback =
    loopbackPort === undefined ? [] : ['localhost', '127.0.0.1', '[::1]', '::1'].map((host) => ({ host, port }))
  const named = urls.map((url) => readAuthority(partsOf(url).protocol, partsOf(url).authority))
  const all: readonly Own[] = [
    ...named.filter((own) => own !== undefined),
    ...hosts.map((host) => ({ host, port: undefined })),
    ...loopback,
  ]
  return {
    main,
    owns: (protocol, authority) => {
      const wanted = readAuthority(protocol, authority)
      return (
        wanted !== undefined && all.some((own) => own.host === wanted.host && (own.port ?? wanted.port) === wanted.port)
      )
    },
  }
}

function partsOf(url: string): { readonly protocol: 'http' | 'https'; readonly authority: string } {
  const [, scheme = '', authority = ''] = /^(https?):\/\/([^/?#]*)/i.exec(url) ?? []
  return { protocol: scheme.toLowerCase() === 'http' ? 'http' : 'https', authority: authority.toLowerCase() }
}

function readAuthority(
  protocol: 'http' | 'https',
  authority: string,
): { readonly host: string; readonly port: string } | undefined {
  const parsed = parseAuthority(authority)
  if (parsed === undefined) return undefined
  return { host: parsed.host, port: parsed.port === (protocol === 'http' ? '80' : '443') ? '' : parsed.port }
}
