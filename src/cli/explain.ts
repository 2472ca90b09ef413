import { readFileSync } from 'node:fs'
import { Argument, Command } from 'commander'
import type { Config } from '../config/config.ts'
import type { Evidence } from '../core/token.ts'
import {
  type Asker,
  CLIENT_KINDS,
  type ClientKind,
  headOf,
  isClientKind,
  isSite,
  SITES,
  type Site,
} from '../explain/client-kinds.ts'
import { evidenceOf } from '../explain/evidence.ts'
import { type Explanation, explain, type ReservedFor, type Verdict } from '../explain/explain.ts'
import { type RefusalRow, rowText, type ShownAnswer } from '../explain/refusal.ts'
import { isSessionState, SESSION_STATES, type SessionState, sessionEvidence } from '../explain/session.ts'
import { Credentials } from '../gateway/credentials/credentials.ts'
import type { RouteMatch } from '../gateway/judge.ts'
import { createPolicy } from '../gateway/policy.ts'
import type { RequestHead } from '../gateway/request-head.ts'
import { RequestRecord } from '../gateway/request-log.ts'
import { trustSystemRoots } from '../proxy/trusted-roots.ts'
import { NO_ISSUER } from '../server/issuer-mount.ts'
import { StoreError } from '../store/store.ts'
import { explainingVerifier } from './explaining-verifier.ts'
import { configOption, fail, jsonOption, printJson, printLine, readConfigOrExit } from './output.ts'

/** An explanation for people, line by line. */
function explanationText({ checks, verdict }: Explanation): readonly string[] {
  const lines = checks.flatMap(({ name, good, expected, got }) => [
    `${good ? 'ok  ' : 'NO  '} ${name}`,
    `       expected: ${expected}`,
    `       got:      ${got}`,
  ])
  return [...lines, '', ...verdictText(verdict)]
}

function verdictText(verdict: Verdict): readonly string[] {
  switch (verdict.outcome) {
    case 'forward': {
      const { method, url, headers } = verdict.upstream
      return [`FORWARD  ${method} ${url}`, 'The upstream sees:', ...headerLines(headers)]
    }
    case 'deny':
      return [
        `DENIED   ${verdict.answer.status} ${verdict.reason}`,
        ...rowLines(verdict.row),
        'The client gets:',
        ...answerLines(verdict.answer),
      ]
    case 'preflight':
      return [`ANSWERED ${verdict.answer.status} by the gateway (CORS preflight)`, ...answerLines(verdict.answer)]
    case 'reserved':
      return [`RESERVED ${RESERVED_TEXTS[verdict.by]}`]
  }
}

const RESERVED_TEXTS: Readonly<Record<ReservedFor, string>> = {
  issuer: 'the issuer, or resource metadata, answers this path',
  browser: 'the gateway itself answers this path, for browsers',
  admin: 'permitted; the operator’s API answers it here',
  sign_out: 'the gateway answers in place of the server: it asks whether to sign out, and does so when it is posted',
}

function rowLines(row: RefusalRow | undefined): readonly string[] {
  return row === undefined ? [] : [`Row:     ${rowText(row)}`]
}

function answerLines({ status, headers, body }: ShownAnswer): readonly string[] {
  return [`  HTTP/1.1 ${status}`, ...headerLines(headers), ...(body === '' ? [] : ['', `  ${body.trimEnd()}`])]
}

function headerLines(headers: readonly string[]): readonly string[] {
  return headers.flatMap((name, i) => (i % 2 === 0 ? [`  ${name}: ${headers[i + 1]}`] : []))
}

interface Options {
  readonly config: string
  readonly json?: boolean
  readonly token?: string
  readonly tokenFile?: string
  readonly claims?: string
  readonly as?: string
  readonly from?: string
  readonly session?: string
}

/** Exit code of a request that would not be forwarded. */
const DENIED = 3

/** `audgate explain`: one request through the gateway's own code. */
export function command(): Command {
  return new Command('explain')
    .description('walk one request through the gateway and say what it would answer, and why')
    .addArgument(new Argument('<method>', 'GET, PUT, PROPFIND …'))
    .addArgument(new Argument('<url>', 'as the client writes it; a path alone is one below public_url'))
    .option('--token <token>', 'an access token')
    .option('--token-file <file>', 'a file that holds one; - is stdin')
    .option('--claims <json>', 'what if a valid token said this?')
    .option('--as <kind>', `what kind of client asks: ${CLIENT_KINDS.join(', ')}`)
    .option('--from <site>', `whose page asks, with --as: ${SITES.join(', ')}`)
    .option(
      '--session <state>',
      `a browser's session, with --as: ${SESSION_STATES.join(', ')}; --claims says what a good one gives`,
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(run)
}

async function run(method: string, url: string, options: Options): Promise<void> {
  trustSystemRoots()
  const as = options.as === undefined ? undefined : kindOf(options.as)
  const from = options.from === undefined ? undefined : siteOf(options.from)
  const state = options.session === undefined ? undefined : stateOf(options.session)
  if (as === undefined && (from ?? state) !== undefined) fail('--from and --session are of browsers: say --as, too', 2)
  const config = readConfigOrExit(options.config)
  const claims = options.claims === undefined ? undefined : parseClaims(options.claims)
  const token = tokenOf(options)
  if (claims !== undefined && token !== undefined) fail('say either --claims or a token, not both', 2)
  if (state !== undefined && token !== undefined)
    fail('a token that is sent decides alone: say it without --session', 2)
  const head = headFor(config, method, url, { token, as, from })
  const policy = createPolicy(config)
  const now = Date.now() / 1_000
  const gather = (match: RouteMatch): Evidence | Promise<Evidence> => {
    if (state !== undefined) return sessionEvidence({ state, claims }, { config, policy }, match, head, now)
    return claims === undefined ? verifyLive(config, match, head, now) : evidenceOf(claims, config, match, now)
  }
  const sent = token === undefined && claims === undefined ? 'nothing' : 'sent'
  const shown = state === undefined ? sent : 'session'
  const byKind = as === undefined ? undefined : ({ shown, isYoung: state === 'young' } as const)
  const explanation = await explain({ policy, head, gather, byKind, now })
  if (options.json === true) printJson(explanation)
  else for (const line of explanationText(explanation)) printLine(line)
  process.exitCode = exitCodeOf(explanation)
}

/** Tokens are secrets: from a file or stdin they stay out of the list of processes, which `--token` can't promise. */
function tokenOf({ token, tokenFile }: Options): string | undefined {
  if (token !== undefined && tokenFile !== undefined) fail('say either --token or --token-file, not both', 2)
  if (tokenFile === undefined) return token?.trim()
  try {
    return readFileSync(tokenFile === '-' ? 0 : tokenFile, 'utf8').trim()
  } catch {
    return fail(`${tokenFile} can't be read: name a file that holds the token`, 2)
  }
}

async function verifyLive(config: Config, match: RouteMatch, head: RequestHead, now: number): Promise<Evidence> {
  try {
    const verifier = await explainingVerifier(config, now)
    try {
      const record = new RequestRecord({ method: head.method, rawHeaders: [] }, undefined)
      const credentials = new Credentials(verifier, NO_ISSUER.backChannel)
      return await credentials.gather(createPolicy(config), match, head, record, now)
    } finally {
      verifier.close()
    }
  } catch (error) {
    if (error instanceof StoreError) return fail(`${error.message}: ${error.hint}`, 1)
    throw error
  }
}

function parseClaims(text: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(text)
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return { ...claims }
  } catch {
    // Said below.
  }
  return fail('--claims is no JSON object: write it like {"aud":"…","scope":"…"}', 2)
}

function kindOf(text: string): ClientKind {
  return isClientKind(text) ? text : fail(`--as ${text} is no kind of client: say one of ${CLIENT_KINDS.join(', ')}`, 2)
}

function siteOf(text: string): Site {
  return isSite(text) ? text : fail(`--from ${text} is no site: say one of ${SITES.join(', ')}`, 2)
}

function stateOf(text: string): SessionState {
  if (isSessionState(text)) return text
  return fail(`--session ${text} is no state of a session: say one of ${SESSION_STATES.join(', ')}`, 2)
}

function headFor(config: Config, method: string, url: string, asker: Asker): RequestHead {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) return fail(`${method} is no HTTP method`, 2)
  const head = headOf(config.publicOrigin, method, url, asker)
  return head ?? fail(`${url} is no URL: write it as the client does, with http:// or https://`, 2)
}

function exitCodeOf({ verdict }: Explanation): number {
  return verdict.outcome === 'deny' ? DENIED : 0
}
