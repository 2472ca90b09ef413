import { readFileSync } from 'node:fs'
import { Argument, Command } from 'commander'
import type { Config } from '../config/config.ts'
import type { Evidence } from '../core/token.ts'
import type { Asked } from '../server/asked.ts'
import { gatherEvidence } from '../server/evidence.ts'
import { type Explanation, explain } from '../server/explain.ts'
import { evidenceOf, explainingVerifier } from '../server/explain-source.ts'
import { createPolicy } from '../server/generation.ts'
import type { RouteMatch } from '../server/judge.ts'
import { StoreError } from '../store/store.ts'
import { explanationText } from './explain-text.ts'
import { configOption, fail, jsonOption, printJson, printLine, readConfigOrExit } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
  readonly token?: string
  readonly tokenFile?: string
  readonly claims?: string
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
    .addOption(configOption())
    .addOption(jsonOption())
    .action(run)
}

async function run(method: string, url: string, options: Options): Promise<void> {
  const config = readConfigOrExit(options.config)
  const claims = options.claims === undefined ? undefined : parseClaims(options.claims)
  const token = tokenOf(options)
  if (claims !== undefined && token !== undefined) fail('say either --claims or a token, not both', 2)
  const asked = askedOf(config, method, url, token)
  const now = Date.now() / 1_000
  const gather = (match: RouteMatch): Evidence | Promise<Evidence> =>
    claims === undefined ? verifyLive(config, match, asked, now) : evidenceOf(claims, config, match, now)
  const explanation = await explain({ policy: createPolicy(config), asked, gather, now })
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

async function verifyLive(config: Config, match: RouteMatch, asked: Asked, now: number): Promise<Evidence> {
  try {
    const verifier = await explainingVerifier(config, now)
    try {
      return await gatherEvidence(verifier, match, asked, now)
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

/** The URL is taken apart and not normalized: what its path means is what is asked. */
function askedOf(config: Config, method: string, url: string, token: string | undefined): Asked {
  const full = url.startsWith('/') ? `${config.publicOrigin}${url}` : url
  const [, scheme = '', authority = '', target = ''] = /^(https?):\/\/([^/?#]+)(.*)$/i.exec(full) ?? []
  if (authority === '') return fail(`${url} is no URL: write it as the client does, with http:// or https://`, 2)
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) return fail(`${method} is no HTTP method`, 2)
  return {
    method,
    target: target.startsWith('/') ? target : `/${target}`,
    rawHeaders: ['Host', authority, ...(token === undefined ? [] : ['Authorization', `Bearer ${token}`])],
    httpVersion: '1.1',
    peerAddress: '127.0.0.1',
    tls: scheme.toLowerCase() === 'https',
  }
}

function exitCodeOf({ verdict }: Explanation): number {
  return verdict.outcome === 'deny' ? DENIED : 0
}
