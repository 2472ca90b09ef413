import { type Logger, pino } from 'pino'
import { createLogOutput } from './log-output.ts'

/** What happened to the whole server: one line with `event` and what belongs to it. */
type Detail = Readonly<Record<string, unknown>>

/** One line per request; fields that are undefined are left out. Never a token, cookie, password or query string. */
export interface RequestLine {
  readonly request_id: string
  /** Of a trace that the request belongs to (W3C Trace Context). */
  readonly traceparent: string | undefined
  readonly route: string | undefined
  readonly resource: string | undefined
  readonly method: string
  readonly host: string | undefined
  /** As received, without the query. */
  readonly path: string | undefined
  readonly status: number | undefined
  readonly outcome: string
  readonly reason: string | undefined
  /** What the client was told, for a refusal. */
  readonly detail: string | undefined
  /** Why the upstream failed: the system's or TLS's code, what was malformed. Never told to clients. */
  readonly cause: string | undefined
  readonly sub: string | undefined
  readonly client: string | undefined
  /** What it was judged by. */
  readonly credential: string
  /** The user name beside an app password, which may be any. */
  readonly basic_user: string | undefined
  readonly address: string | undefined
  readonly decide_ms: number | undefined
  readonly upstream_ms: number | undefined
  readonly total_ms: number
  readonly bytes_in: number
  readonly bytes_out: number
}

export interface Log {
  request(line: RequestLine): void
  /** Sign-ins, consents, grants, refusals at the issuer, revocations, admin changes. */
  audit(event: string, detail: Detail): void
  info(event: string, detail?: Detail): void
  warn(event: string, detail?: Detail): void
  error(event: string, detail?: Detail): void
  /** Writes out what is held back, within a second; for the end of the process. */
  flush(): Promise<void>
}

const STDOUT = 1
const FLUSH_WITHIN_MS = 1_000

/** The time of the last request, as it is written. */
const clock = { now: 0, time: '' }

/**
 * JSON lines on stdout.
 * @param instance stands in every line. @param isShared Other processes write there too: lines stay whole.
 */
export function createLog(instance: () => string | undefined, isShared = false): Log {
  const output = createLogOutput(STDOUT, isShared)
  return { ...logTo(output, instance), flush: () => output.flush(FLUSH_WITHIN_MS) }
}

/** JSON lines to anything that takes them. @param instance stands in every line; undefined: in none. */
export function logTo(
  sink: { write(line: string): unknown },
  instance: () => string | undefined = () => undefined,
): Log {
  const named = (): Detail => {
    const name = instance()
    return name === undefined ? {} : { instance: name }
  }
  const requestNamed = memoized(instance)
  const logger: Logger = pino(
    {
      base: null,
      mixin: named,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void sink.write(line) },
  )
  return {
    request: (line) => void sink.write(requestText(line, requestNamed())),
    audit: (event, detail) => logger.info({ event, audit: true, ...detail }, 'audit'),
    info: (event, detail = {}) => logger.info({ event, ...detail }),
    warn: (event, detail = {}) => logger.warn({ event, ...detail }),
    error: (event, detail = {}) => logger.error({ event, ...detail }),
    flush: () => Promise.resolve(),
  }
}

/** What the logger would write, at a third of its cost: there is one for every request. */
function requestText(line: RequestLine, named: string): string {
  const now = Date.now()
  if (now !== clock.now) {
    clock.now = now
    clock.time = new Date(now).toISOString()
  }
  return `{"level":"info","time":"${clock.time}",${named}${JSON.stringify(line).slice(1, -1)},"msg":"request"}\n`
}

/** The member that names an instance, in JSON, written once. */
function memoized(instance: () => string | undefined): () => string {
  const state: { name: string | undefined; text: string } = { name: undefined, text: '' }
  return () => {
    const name = instance()
    if (name !== undefined && name !== state.name) {
      state.name = name
      state.text = `"instance":${JSON.stringify(name)},`
    }
    return state.text
  }
}
