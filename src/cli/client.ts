import { Command, Option } from 'commander'
import { type Config, issuedResources } from '../config/config.ts'
import { refusedToServices } from '../gateway/policy.ts'
import { addClient } from '../issuer/clients/clients.ts'
import { reservedClient } from '../issuer/clients/reserved.ts'
import type { ClientRecord, ClientType } from '../store/store.ts'
import { BY, clientOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable } from './output.ts'

interface Common {
  readonly config: string
  readonly json?: boolean
}

interface AddOptions extends Common {
  readonly type: ClientType
  readonly name?: string
  readonly redirectUri: readonly string[]
  readonly thirdParty?: boolean
  readonly allow: readonly string[]
  readonly stepUp: 'keep' | 'reauthorize'
}

/** `audgate client`: registered clients. */
export function command(): Command {
  const client = new Command('client').description('registered clients')
  client
    .command('add <id>')
    .description('register a client; prints the secret of a web or service client once')
    .addOption(
      new Option('--type <type>', 'what it is').choices(['native', 'spa', 'web', 'service']).makeOptionMandatory(),
    )
    .option('--name <name>', 'name that people see when they consent')
    .option('--redirect-uri <uri>', 'where it may be sent back to; repeat for several', append, [])
    .option('--third-party', 'ask people for consent')
    .option('--allow <resource=scopes>', 'what a service client may have: RESOURCE=scope,scope; repeat', append, [])
    .addOption(
      new Option('--step-up <way>', 'what a refresh gets while a request waits for a better sign-in')
        .choices(['keep', 'reauthorize'])
        .default('keep'),
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .action(add)
  client.command('list').description('list clients').addOption(configOption()).addOption(jsonOption()).action(list)
  client
    .command('revoke <id>')
    .description('end what a client has, and give it nothing more')
    .addOption(configOption())
    .action(revoke)
  client
    .command('restore <id>')
    .description('let a revoked client ask for tokens again')
    .addOption(configOption())
    .action(restore)
  return client
}

async function add(id: string, options: AddOptions): Promise<void> {
  await withStore(options.config, true, async ({ config, store }) => {
    const resources = issuedResources(config)
    const input = {
      id,
      type: options.type,
      name: options.name,
      redirectUris: options.redirectUri,
      thirdParty: options.thirdParty === true,
      allow: options.allow,
      stepUp: options.stepUp,
    }
    const added = await addClient(store, input, resources, Date.now())
    if (added.kind === 'invalid') return fail(added.problem, 2)
    if (added.kind === 'exists') return fail(`client ${id} is there already: choose another id`, 1)
    await store.audit('client.added', { client: id, type: options.type, by: BY }, added.client.createdAt)
    warnOfSignIns(config, added.client)
    if (options.json === true) printJson({ id, client_secret: added.secret })
    else printAdded(id, added.secret)
  })
}

/** On stderr: said when it can still be mended, and the client is there all the same. */
function warnOfSignIns(config: Config, { id, allow }: ClientRecord): void {
  for (const { resource, scopes } of refusedToServices(config, allow))
    process.stderr.write(
      `warning: rules with \`acr\` or \`max_age\` take ${scopes.join(' ')} of ${resource} and refuse ${id} there: its tokens come from no sign-in\n`,
    )
}

function printAdded(id: string, secret: string | undefined): void {
  printLine(`Added client ${id}.`)
  if (secret === undefined) return
  printLine(`client_secret: ${secret}`)
  printLine('It is shown this once; keep it where the client can read it.')
}

async function list(options: Common): Promise<void> {
  const clients = await withStore(options.config, false, ({ store }) => store.clients())
  if (options.json === true) return printJson(clients.map(shown))
  printTable(
    ['ID', 'TYPE', 'STATE', 'PARTY', 'NAME', 'ADDED', 'REDIRECT URIS OR RESOURCES'],
    clients.map((client) => [
      client.id,
      client.type,
      client.revoked ? 'revoked' : 'active',
      client.origin === 'operator' ? (client.thirdParty ? 'third' : 'first') : 'self-registered',
      client.name,
      when(client.createdAt),
      [...client.redirectUris, ...client.allow.map((entry) => `${entry.resource}=${entry.scopes.join(',')}`)].join(' '),
    ]),
  )
}

async function revoke(id: string, options: Common): Promise<void> {
  await withStore(options.config, false, async ({ store, acts }) => {
    await clientOrExit(store, id)
    if (reservedClient(id) !== undefined)
      fail(`${id} is the gateway’s own: \`audgate revoke --client ${id}\` ends what it has`, 1)
    await acts.revokeClient(id, BY)
    printLine(`Client ${id} is revoked; its tokens have ended. \`audgate client restore ${id}\` takes that back.`)
  })
}

async function restore(id: string, options: Common): Promise<void> {
  await withStore(options.config, false, async ({ store, acts }) => {
    await clientOrExit(store, id)
    await acts.restoreClient(id, BY)
    printLine(`Client ${id} may ask for tokens again.`)
  })
}

function append(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

/** Without the secret's hash. */
function shown({ secretHash: _, ...client }: ClientRecord): Omit<ClientRecord, 'secretHash'> {
  return client
}
