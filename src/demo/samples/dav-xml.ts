import { type DavPath, davHref } from './dav-path.ts'
import type { DavNode } from './dav-tree.ts'
import { Refusal } from './sample-server.ts'

/** A property's name, as `{namespace}local`. */
type PropName = `{${string}}${string}`

/** What a PROPFIND asks for. */
type Wanted = 'all' | 'names' | readonly PropName[]

/** One property that PROPPATCH sets to a text, or (undefined) removes. */
interface PropChange {
  readonly name: PropName
  readonly text: string | undefined
}

/** Reads a PROPFIND's body; none asks for everything (RFC 4918 §9.1). Throws a 400 Refusal. */
export function wantedProps(xml: string): Wanted {
  if (xml.trim() === '') return 'all'
  const names = elementNames(xml)
  if (!names.includes('{DAV:}propfind')) throw new Refusal(400, 'the body is no propfind')
  if (names.includes('{DAV:}propname')) return 'names'
  return names.includes('{DAV:}allprop') ? 'all' : names.filter((name) => !/^\{DAV:\}(propfind|prop)$/.test(name))
}

/** Reads a PROPPATCH's body. Texts only: a property with elements inside is passed over. Throws a 400 Refusal. */
export function propChanges(xml: string): readonly PropChange[] {
  const namespaces = namespacesOf(xml)
  const blocks = [...xml.matchAll(/<(?:[\w.-]+:)?(set|remove)\b[^>]*>([\s\S]*?)<\/(?:[\w.-]+:)?\1\s*>/g)]
  if (blocks.length === 0) throw new Refusal(400, 'the body sets and removes nothing')
  return blocks.flatMap(([, act, block = '']) => {
    const inner = block.replace(/^[\s\S]*?<(?:[\w.-]+:)?prop\b[^>]*>/, '')
    const texts = [...inner.matchAll(/<([\w.-]+:)?([\w.-]+)(?:\s[^>]*)?(?:\/>|>([^<]*)<\/[^>]+>)/g)]
    return texts.map(([, prefix = '', local = '', text = '']) => ({
      name: `{${namespaces.get(prefix) ?? ''}}${local}` as const,
      // It goes out again as it came in, but for what would break the XML around it.
      text: act === 'set' ? text.replace(/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/gi, '&#38;') : undefined,
    }))
  })
}

/** A 207 body (RFC 4918 §13). */
export function multistatus(responses: readonly string[]): string {
  return `<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>\n`
}

/** The answer about one node: what it has of the properties wanted, and a 404 for what it has not. */
export function propResponse(path: DavPath, node: DavNode, wanted: Wanted, lockDiscovery: string): string {
  const known = new Map([...liveProps(path, node, lockDiscovery), ...deadProps(node)])
  const names: readonly string[] = typeof wanted === 'string' ? [...known.keys()] : wanted
  const found = names.filter((name) => known.has(name))
  const missing = names.filter((name) => !known.has(name))
  const values = found.map((name) => element(name, wanted === 'names' ? '' : (known.get(name) ?? '')))
  const empty = missing.map((name) => element(name, ''))
  const href = escapeXml(davHref(path, node.kind === 'folder'))
  return `<D:response><D:href>${href}</D:href>${propstat('200 OK', values)}${propstat('404 Not Found', empty)}</D:response>`
}

/** The answer to a PROPPATCH: each property with its status. */
export function patchResponse(
  path: DavPath,
  node: DavNode,
  changes: ReadonlyMap<string, '200 OK' | '403 Forbidden'>,
): string {
  const stats = [...changes].map(([name, status]) => propstat(status, [element(name, '')]))
  return `<D:response><D:href>${escapeXml(davHref(path, node.kind === 'folder'))}</D:href>${stats.join('')}</D:response>`
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}

function liveProps(path: DavPath, node: DavNode, lockDiscovery: string): readonly (readonly [string, string])[] {
  const lock = '<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>'
  const common = [
    ['{DAV:}displayname', escapeXml(path.at(-1) ?? 'Files')],
    ['{DAV:}creationdate', new Date(node.createdMs).toISOString()],
    ['{DAV:}getlastmodified', new Date(node.modifiedMs).toUTCString()],
    ['{DAV:}resourcetype', node.kind === 'folder' ? '<D:collection/>' : ''],
    ['{DAV:}supportedlock', lock],
    ['{DAV:}lockdiscovery', lockDiscovery],
  ] as const
  if (node.kind === 'folder') return common
  return [
    ...common,
    ['{DAV:}getcontentlength', String(node.bytes.length)],
    ['{DAV:}getcontenttype', node.type],
    ['{DAV:}getetag', escapeXml(node.etag)],
  ]
}

// Texts are kept as they stood in the client's XML, escaped already.
function deadProps(node: DavNode): readonly (readonly [string, string])[] {
  return [...node.dead]
}

function propstat(status: string, props: readonly string[]): string {
  if (props.length === 0) return ''
  return `<D:propstat><D:prop>${props.join('')}</D:prop><D:status>HTTP/1.1 ${status}</D:status></D:propstat>`
}

function element(name: string, content: string): string {
  const [, namespace = '', local = ''] = /^\{(.*)\}(.*)$/s.exec(name) ?? []
  if (namespace === 'DAV:') return `<D:${local}>${content}</D:${local}>`
  return `<${local} xmlns="${escapeXml(namespace)}">${content}</${local}>`
}

function elementNames(xml: string): readonly PropName[] {
  const namespaces = namespacesOf(xml)
  return [...xml.matchAll(/<([\w.-]+:)?([\w.-]+)[\s/>]/g)].map(
    ([, prefix = '', local = '']) => `{${namespaces.get(prefix) ?? ''}}${local}` as const,
  )
}

/** Prefix, with its colon, to namespace. Clients declare a prefix once; a second meaning of it is not looked for. */
function namespacesOf(xml: string): ReadonlyMap<string, string> {
  const declared = xml.matchAll(/\sxmlns(?::([\w.-]+))?\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g)
  return new Map(
    [...declared].map(([, prefix, double, single]) => [prefix ? `${prefix}:` : '', double ?? single ?? '']),
  )
}
