import { Command } from 'commander'
import { configOption, fail, jsonOption, printJson, printLine, readConfigOrExit } from './output.ts'
import { keepToken, keptToken, tokenFile } from './token-cache.ts'
import { discoverIssuer, type IssuerEndpoints, resourceScopes } from './token-discovery.ts'
import { isActive, renew, signInByDevice, type TokenAsk, type TokenSet } from './token-requests.ts'

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
