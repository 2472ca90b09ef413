import { readFile, stat } from 'node:fs/promises'
import { brotliDecompressSync, gunzipSync, inflateSync, type ZlibOptions } from 'node:zlib'
import { Agent, type Dispatcher, request } from 'undici'
import type { PublishedKey } from './trusted-issuer.ts'

/** What one try to get an issuer's keys brought. */
export type LoadedKeys =
  | { readonly kind: 'keys'; readonly jwks: readonly PublishedKey[]; readonly refreshSeconds: number }
  | { readonly kind: 'unchanged'; readonly refreshSeconds: number }

/** Gets an issuer's keys from where they are published. */
export interface KeyLoader {
  /** Rejects with {@link KeyLoadError}. */
  load(signal: AbortSignal): Promise<LoadedKeys>
  /** The longest wait after failures. */
  readonly maxRetrySeconds: number
}

/** Keys could not be had; the message is a clause for the log that says why. */
class KeyLoadError extends Error {}

/** Keys of a set beyond this are not looked at. */
const MAX_KEYS = 100

/** The members of a JWK Set (RFC 7517 §5), not yet judged one by one. */
export function keysOf(text: string, source: string): readonly PublishedKey[] {
  const keys: unknown = parse(text, source)?.keys
  if (!Array.isArray(keys)) throw new KeyLoadError(`${source} is no JSON Web Key Set: it has no list named keys`)
  return keys.slice(0, MAX_KEYS).filter((key) => typeof key === 'object' && key !== null)
}

/** A JSON object; undefined for other JSON. */
function parse(text: string, source: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (cause) {
    throw new KeyLoadError(`${source} is not JSON`, { cause })
  }
}

const MAX_RESPONSE_BYTES = 1024 * 1024

/** Connections to issuers: few, soon dropped, with bounds on what an answer may take. TLS certificates are verified. */
export function createKeyAgent(): Agent {
  return new Agent({
    connections: 2,
    pipelining: 1,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
    headersTimeout: 5_000,
    bodyTimeout: 5_000,
    maxHeaderSize: 16_384,
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: { timeout: 5_000 },
  })
}

/** The whole of one try, discovery included. */
const TIMEOUT_MS = 5_000
const DEFAULT_REFRESH_SECONDS = 600
const MIN_REFRESH_SECONDS = 60
const MAX_REFRESH_SECONDS = 86_400
const MAX_RETRY_SECONDS = 60

interface Answer {
  readonly text: string
  readonly refreshSeconds: number
}

/** Keys from a JWK Set at `uri`. @param anyHost Plain http is taken from any host, not from loopback alone. */
export function keysAt(uri: string, dispatcher: Dispatcher, anyHost: boolean): KeyLoader {
  return fetching(async (signal) => {
    if (!anyHost) assertSafe(uri)
    return loadKeys(uri, dispatcher, signal)
  })
}

/** Keys at the first of `uris` that answers with some; plain http is taken from any host. */
export function keysAtAny(uris: readonly string[], dispatcher: Dispatcher): KeyLoader {
  return fetching(async (signal) => {
    const faults: string[] = []
    for (const uri of uris) {
      try {
        return await loadKeys(uri, dispatcher, signal)
      } catch (error) {
        if (!(error instanceof KeyLoadError)) throw error
        faults.push(error.message)
      }
    }
    throw new KeyLoadError(faults.join('; '))
  })
}

/**
 * Keys of an issuer by its metadata, asked for anew each time: `/.well-known/openid-configuration` behind the issuer (OpenID Connect
 * Discovery §4), else `/.well-known/oauth-authorization-server` before its path (RFC 8414 §3). Its `issuer` must be the same string.
 * @param anyHost As for {@link keysAt}.
 */
export function discoveredKeys(issuer: string, dispatcher: Dispatcher, anyHost: boolean): KeyLoader {
  return fetching(async (signal) => {
    if (!anyHost) assertSafe(issuer)
    const faults: string[] = []
    for (const uri of metadataUris(issuer)) {
      try {
        const jwksUri = keySetUri((await get(uri, dispatcher, signal)).text, uri, issuer, anyHost)
        return await loadKeys(jwksUri, dispatcher, signal)
      } catch (error) {
        if (!(error instanceof KeyLoadError)) throw error
        faults.push(error.message)
      }
    }
    throw new KeyLoadError(faults.join('; '))
  })
}

function fetching(load: (signal: AbortSignal) => Promise<LoadedKeys>): KeyLoader {
  return {
    load: (signal) => load(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])),
    maxRetrySeconds: MAX_RETRY_SECONDS,
  }
}

function metadataUris(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

function keySetUri(text: string, source: string, issuer: string, anyHost: boolean): string {
  const metadata = parse(text, source)
  if (metadata?.issuer !== issuer) throw new KeyLoadError(`${source} names another issuer than ${issuer}`)
  const uri = metadata.jwks_uri
  if (typeof uri !== 'string') throw new KeyLoadError(`${source} has no jwks_uri`)
  if (!anyHost) assertSafe(uri)
  else if (!/^https?:/i.test(uri) || !URL.canParse(uri))
    throw new KeyLoadError(`${source} has a jwks_uri that is no http URL`)
  // An issuer elsewhere must not make us ask servers of this machine.
  if (isLoopback(new URL(uri)) && !isLoopback(new URL(issuer)))
    throw new KeyLoadError(`${source} points to this machine`)
  return uri
}

async function loadKeys(uri: string, dispatcher: Dispatcher, signal: AbortSignal): Promise<LoadedKeys> {
  const { text, refreshSeconds } = await get(uri, dispatcher, signal)
  return { kind: 'keys', jwks: keysOf(text, uri), refreshSeconds }
}

/** Redirects are not followed: whoever can redirect could name the keys. */
async function get(uri: string, dispatcher: Dispatcher, signal: AbortSignal): Promise<Answer> {
  const headers = { accept: 'application/json, application/jwk-set+json', 'accept-encoding': 'identity' }
  try {
    const { statusCode, headers: fields, body } = await request(uri, { dispatcher, signal, headers })
    if (statusCode === 200) {
      return {
        text: await decoded(body, String(fields['content-encoding'] ?? '')),
        refreshSeconds: refreshSeconds(String(fields['cache-control'] ?? '')),
      }
    }
    await body.dump()
    throw new KeyLoadError(`${uri} answers ${statusCode}`)
  } catch (error) {
    throw error instanceof KeyLoadError ? error : new KeyLoadError(`${uri} ${cause(error)}`, { cause: error })
  }
}

const DECODERS: Readonly<Record<string, (bytes: Buffer, options: ZlibOptions) => Buffer>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
}

/** Nothing is asked for encoded, yet some servers encode all that they send (RFC 9110 §8.4). A mark of byte order is no part of JSON. */
async function decoded(body: Dispatcher.ResponseData['body'], encodings: string): Promise<string> {
  let bytes: Buffer = Buffer.from(await body.arrayBuffer())
  const names = encodings
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  for (const name of names.toReversed()) {
    if (name === '' || name === 'identity') continue
    const decode = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined
    if (decode === undefined) throw new KeyLoadError(`the answer is encoded as ${name}, which is not read here`)
    bytes = decode(bytes, { maxOutputLength: MAX_RESPONSE_BYTES })
  }
  return UTF8.decode(bytes)
}

const UTF8 = new TextDecoder()

/** From `Cache-Control` (RFC 9111 §5.2.2), within a minute and a day. */
function refreshSeconds(cacheControl: string): number {
  if (/\bno-(?:store|cache)\b/i.test(cacheControl)) return MIN_REFRESH_SECONDS
  const [, digits] = /\bmax-age="?([0-9]+)/i.exec(cacheControl) ?? []
  const seconds = digits === undefined ? DEFAULT_REFRESH_SECONDS : Number(digits)
  return Math.min(Math.max(seconds, MIN_REFRESH_SECONDS), MAX_REFRESH_SECONDS)
}

function assertSafe(uri: string): void {
  const url = URL.parse(uri)
  if (url === null) throw new KeyLoadError(`${uri} is no URL`)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return
  throw new KeyLoadError(`${uri} is neither https nor on a loopback host`)
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.[0-9]+\.[0-9]+\.[0-9]+$/.test(hostname)
}

/** Errors of the network by their code; their messages change between versions. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'refuses connections'],
  ['ECONNRESET', 'breaks the connection'],
  ['ENOTFOUND', 'is on a host that has no address'],
  ['EAI_AGAIN', 'is on a host that has no address now'],
  ['UND_ERR_CONNECT_TIMEOUT', 'does not answer'],
  ['UND_ERR_HEADERS_TIMEOUT', 'does not answer'],
  ['UND_ERR_BODY_TIMEOUT', 'does not answer'],
  ['UND_ERR_SOCKET', 'breaks the connection'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'breaks the connection'],
  ['UND_ERR_RES_EXCEEDED_MAX_SIZE', 'answers with more than 1 MiB'],
  ['ERR_BUFFER_TOO_LARGE', 'answers with more than 1 MiB'],
  ['Z_DATA_ERROR', 'answers with a broken Content-Encoding'],
  ['Z_BUF_ERROR', 'answers with a broken Content-Encoding'],
  ['TimeoutError', `does not answer within ${TIMEOUT_MS / 1000} s`],
  ['AbortError', 'was not waited for'],
])

function cause(error: unknown): string {
  if (!(error instanceof Error)) return 'cannot be fetched'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  return CAUSES.get(code) ?? `cannot be fetched (${code})`
}

const MAX_BYTES = 1024 * 1024
const LOOK_EVERY_SECONDS = 1

/** Keys from a JWK Set in a file, read again when it is another file than before or was written to. */
export function keyFile(path: string): KeyLoader {
  let known = ''
  const load = async (): Promise<LoadedKeys> => {
    const { mtimeMs, size, ino } = await stat(path)
    const seen = `${mtimeMs} ${size} ${ino}`
    if (seen === known) return { kind: 'unchanged', refreshSeconds: LOOK_EVERY_SECONDS }
    if (size > MAX_BYTES) throw new KeyLoadError(`${path} is larger than 1 MiB`)
    const jwks = keysOf(await readFile(path, 'utf8'), path)
    known = seen
    return { kind: 'keys', jwks, refreshSeconds: LOOK_EVERY_SECONDS }
  }
  return { load: () => load().catch((error: unknown) => Promise.reject(asLoadError(error, path))), maxRetrySeconds: 1 }
}

function asLoadError(error: unknown, path: string): KeyLoadError {
  if (error instanceof KeyLoadError) return error
  const code = error instanceof Error && 'code' in error ? error.code : 'unknown error'
  return new KeyLoadError(`${path} cannot be read (${code})`, { cause: error })
}
