import { readFileSync } from 'node:fs'
import { Agent, buildConnector, request } from 'undici'
import type { IdentityProvider } from '../../../core/identity-provider.ts'
import { ProviderError } from './provider-fault.ts'

/** What a call is for; a metric label. */
export type CallKind = 'discovery' | 'jwks' | 'token' | 'userinfo' | 'revocation'

const TIMEOUT_MS = 5_000
const MOST_BYTES = 1024 * 1024
const MOST_AT_ONCE = 8
/** A revoked token's endpoint says no more than a status; everything else is read. */
const CONNECT_MS = 5_000

interface CallOptions {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** The answer in whole. */
export interface Answer {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

/** Calls to one provider: bounded in time, size and number, and never redirected. */
export interface ProviderCalls {
  /** Throws {@link ProviderError} `silent` for everything but a whole answer with a status below 500 that is neither 3xx nor 429. */
  call(kind: CallKind, url: string, options?: CallOptions): Promise<Answer>
  /** Ends idle connections. */
  close(): Promise<void>
}

/** @param onCall Told of every call, for the metrics. */
export function createProviderCalls(
  provider: IdentityProvider,
  onCall: (kind: CallKind, outcome: 'ok' | 'refused' | 'silent') => void,
): ProviderCalls {
  const places = createPlaces(MOST_AT_ONCE)
  const connection: { agent: Agent | undefined } = { agent: undefined }
  const agent = (): Agent => {
    connection.agent ??= openAgent(provider)
    return connection.agent
  }
  return {
    call: async (kind, url, options = {}) => {
      // The wait counts: whoever asks for somebody is not to stand behind everybody else while the provider hangs.
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      if (!(await places.enter(signal))) {
        onCall(kind, 'silent')
        throw silence(`${MOST_AT_ONCE} calls are under way, and none ended within ${TIMEOUT_MS / 1000} s`)
      }
      try {
        const answer = await ask(agent(), url, options, signal)
        onCall(kind, answer.status < 400 ? 'ok' : 'refused')
        return answer
      } catch (error) {
        onCall(kind, 'silent')
        throw error
      } finally {
        places.leave()
      }
    },
    close: async () => connection.agent?.destroy(),
  }
}

/** With `address` every connection leads there; names in TLS and Host stay those of the URL. */
function openAgent({ address, ca }: IdentityProvider): Agent {
  const base = buildConnector({
    timeout: CONNECT_MS,
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: ca.pem ?? readAuthority(ca.file) }),
  })
  return new Agent({
    connect: (options, callback) => {
      if (address === undefined) return base(options, callback)
      const name = options.hostname.replace(/^\[|\]$/g, '')
      const there = { hostname: address.host, host: address.host, port: String(address.port) }
      return base({ ...options, ...there, servername: options.servername ?? name }, callback)
    },
    keepAliveTimeout: 10_000,
  })
}

function readAuthority(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new ProviderError({ kind: 'silent', detail: `connect.ca: ${path} can't be read` })
  }
}

async function ask(
  agent: Agent,
  url: string,
  { method = 'GET', headers, body }: CallOptions,
  signal: AbortSignal,
): Promise<Answer> {
  const text: string[] = []
  const decoder = new TextDecoder()
  try {
    const answer = await request(url, {
      dispatcher: agent,
      method,
      headers: { ...headers },
      body: body ?? null,
      signal,
    })
    let bytes = 0
    for await (const chunk of answer.body) {
      const part: Buffer = chunk
      bytes += part.length
      if (bytes > MOST_BYTES) throw silence(`answered with more than ${MOST_BYTES} bytes`)
      text.push(decoder.decode(part, { stream: true }))
    }
    const { statusCode: status } = answer
    if (status >= 500 || status === 429 || (status >= 300 && status < 400)) throw silence(`answered with ${status}`)
    return { status, contentType: mediaType(answer.headers['content-type']), text: text.join('') }
  } catch (error) {
    throw error instanceof ProviderError ? error : silence(reasonOf(error, signal))
  }
}

function silence(detail: string): ProviderError {
  return new ProviderError({ kind: 'silent', detail })
}

/** By code: messages of the system and of TLS may quote what came. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted)
    return `no whole answer within ${TIMEOUT_MS / 1000} s; where the router leads nobody back in (hairpin NAT), ${ELSEWHERE}`
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const hint = Object.hasOwn(HINTS, code) ? `: ${HINTS[code]}` : ''
  return `can't be reached (${code})${hint}`
}

const PRIVATE = 'its certificate is of an authority that is not known here; `connect.ca` names it'
const ELSEWHERE = '`connect.address` leads there another way'
const HINTS: Readonly<Record<string, string>> = {
  ENOTFOUND: `its name is not known here; ${ELSEWHERE}`,
  EAI_AGAIN: `its name can't be looked up now; ${ELSEWHERE}`,
  ECONNREFUSED: `nothing listens there; ${ELSEWHERE}`,
  EHOSTUNREACH: `there is no way there from here; ${ELSEWHERE}`,
  UND_ERR_CONNECT_TIMEOUT: `nothing answers there; ${ELSEWHERE}`,
  SELF_SIGNED_CERT_IN_CHAIN: PRIVATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: PRIVATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: PRIVATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: PRIVATE,
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate there is for another name',
  CERT_HAS_EXPIRED: 'the certificate there has expired',
}

function mediaType(header: string | string[] | undefined): string {
  return (
    String(header ?? '')
      .split(';', 1)[0]
      ?.trim()
      .toLowerCase() ?? ''
  )
}

interface Places {
  /** False: the time ran out before there was a place. */
  enter(signal: AbortSignal): Promise<boolean>
  leave(): void
}

/** Lets `most` in; the others wait in order. */
function createPlaces(most: number): Places {
  const state = { taken: 0 }
  const waiting: (() => void)[] = []
  return {
    enter: (signal) => {
      if (state.taken < most) {
        state.taken += 1
        return Promise.resolve(true)
      }
      return new Promise((resolve) => {
        const takeTurn = (): void => {
          signal.removeEventListener('abort', giveUp)
          resolve(true)
        }
        const giveUp = (): void => {
          waiting.splice(waiting.indexOf(takeTurn), 1)
          resolve(false)
        }
        waiting.push(takeTurn)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
    leave: () => {
      const next = waiting.shift()
      if (next === undefined) state.taken -= 1
      else next()
    },
  }
}
