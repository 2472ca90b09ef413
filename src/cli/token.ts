import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { Command } from 'commander'
import { trustSystemRoots } from '../proxy/trusted-roots.ts'
import {
  discoverIssuer,
  type IssuerEndpoints,
  isActive,
  renew,
  resourceScopes,
  signInByDevice,
  type TokenAsk,
  type TokenSet,
} from './device-flow.ts'
import { configOption, fail, jsonOption, printJson, printLine, readConfigOrExit } from './output.ts'

/** Where the token for this issuer, client and resource is kept: below the user's configuration folder. */
function tokenFile({ issuer, clientId, resource }: TokenAsk): string {
  const { XDG_CONFIG_HOME } = process.env
  // Relative paths are to be ignored (XDG Base Directory Specification).
  const named = XDG_CONFIG_HOME !== undefined && isAbsolute(XDG_CONFIG_HOME)
  const folder = named ? XDG_CONFIG_HOME : join(homedir(), '.config')
  const name = createHash('sha256').update(`${issuer}\0${clientId}\0${resource}`).digest('base64url')
  return join(folder, 'audgate', 'tokens', `${name}.json`)
}

/** The token kept in `file`; undefined when there is none for these scopes, or when it can't be read. */
function keptToken(file: string, ask: TokenAsk): TokenSet | undefined {
  try {
    const kept: TokenSet & { readonly asked?: string } = JSON.parse(readFileSync(file, 'utf8'))
    const whole = typeof kept.accessToken === 'string' && typeof kept.expiresAt === 'number'
    return whole && kept.asked === sorted(ask.scope) ? kept : undefined
  } catch {
    return undefined
  }
}

/** Keeps the token, readable by this user alone, in one step: a second run never reads half of it. */
function keepToken(file: string, ask: TokenAsk, token: TokenSet): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    chmodSync(dirname(file), 0o700)
    writeFileSync(draft, JSON.stringify({ ...token, asked: sorted(ask.scope) }), { mode: 0o600, flag: 'wx' })
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    const reason = error instanceof Error ? error.message : String(error)
    fail(
      `the token can't be kept in ${dirname(file)} (${reason}): give this user access to it, or set XDG_CONFIG_HOME`,
      1,
    )
  }
}

function sorted(scope: string): string {
  return scope.split(' ').filter(Boolean).sort().join(' ')
}

/** Registered by `audgate client add audgate-cli --type native`. */
const DEFAULT_CLIENT = 'audgate-cli'
/** A token that ends sooner is renewed first: the request it is for takes a moment, too. */
const LEAST_SECONDS = 30

interface Options {
  readonly resource: string
  readonly scope?: string
  readonly client: string
  readonly issuer?: string
  readonly config: string
  readonly json?: boolean
}

/** `audgate token`: an access token for a resource, by the device flow. */
export function command(): Command {
  return new Command('token')
    .description('sign in by the device flow and print an access token for a resource; keeps it and renews it')
    .requiredOption('--resource <id>', 'the resource that the token is for')
    .option('--scope <scopes>', 'what the token is to allow, separated by spaces (default: all that the resource has)')
    .option('--client <id>', 'a client of type native', DEFAULT_CLIENT)
    .option('--issuer <url>', 'the issuer (default: public_url of the routes.yaml)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(run)
}

async function run(options: Options): Promise<void> {
  trustSystemRoots()
  const config = options.issuer === undefined ? readConfigOrExit(options.config) : undefined
  const issuer = options.issuer ?? config?.publicUrl ?? ''
  const known = config?.resources.find((resource) => resource.identifier === options.resource)
  const scope =
    options.scope ?? (known === undefined ? await resourceScopes(options.resource) : [...known.scopes.keys()].join(' '))
  const ask = { issuer, clientId: options.client, resource: options.resource, scope }
  const token = await tokenFor(await discoverIssuer(issuer), ask)
  if (options.json === true) {
    const { accessToken, expiresAt, scope: given } = token
    printJson({ access_token: accessToken, expires_at: expiresAt, scope: given, resource: ask.resource })
  } else printLine(token.accessToken)
}

/** The kept token while it is good, else a renewed one, else one by signing in. */
async function tokenFor(endpoints: IssuerEndpoints, ask: TokenAsk): Promise<TokenSet> {
  const file = tokenFile(ask)
  const kept = keptToken(file, ask)
  const now = Math.floor(Date.now() / 1000)
  if (kept !== undefined && kept.expiresAt > now + LEAST_SECONDS && (await isActive(endpoints, ask, kept))) return kept
  const renewed = kept?.refreshToken === undefined ? undefined : await renew(endpoints, ask, kept.refreshToken)
  const token = renewed ?? (await signInByDevice(endpoints, ask, showCode))
  keepToken(file, ask, token)
  return token
}

/** On stderr, where it is seen while stdout goes into a header. */
function showCode(address: string, code: string): void {
  if (!/^[\x21-\x7e]+$/.test(address) || !/^[\x20-\x7e]+$/.test(code)) {
    fail('the issuer answered with something that can not be shown: is --issuer right?', 1)
  }
  process.stderr.write(`Open ${address}\nand check that it shows the code ${code}\n`)
}
