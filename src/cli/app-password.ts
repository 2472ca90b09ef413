import { Command } from 'commander'
import { parseLifetime } from '../config/schema/leaf.ts'
import { grantableScopes, matchResource } from '../core/resource.ts'
import { endOfAppPassword, makeAppPassword, type NewAppPassword } from '../issuer/people/app-passwords.ts'
import type { AppPasswordRecord } from '../store/session-store.ts'
import { BY, type OpenStore, userOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable } from './output.ts'

interface Common {
  readonly config: string
  readonly json?: boolean
}

interface AddOptions extends Common {
  readonly user: string
  readonly resource: string
  readonly scope: string
  readonly name: string
  readonly expires?: string
}

/** `audgate app-password`: passwords for one resource each, for programs that can't sign in. */
export function command(): Command {
  const password = new Command('app-password').description(
    'passwords for one resource each, for programs that can’t sign in',
  )
  password
    .command('add')
    .description('make an app password; it is printed this once')
    .requiredOption('--user <name>', 'whose it is')
    .requiredOption('--resource <id>', 'the resource that it opens')
    .requiredOption('--scope <scopes>', 'scopes of it, separated by spaces')
    .requiredOption('--name <name>', 'what it is for')
    .option('--expires <duration>', 'how long it lasts, such as 90d (default: app_passwords.max)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(add)
  password
    .command('list')
    .description('list app passwords')
    .option('--user <name>', 'of this user alone')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(list)
  password.command('revoke <id>').description('end an app password').addOption(configOption()).action(revoke)
  return password
}

async function add(options: AddOptions): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const { config, store } = opened
    const user = await userOrExit(store, options.user)
    const resources = config.resources.filter((resource) => resource.issuers.includes(config.publicUrl))
    const resource = matchResource(resources, options.resource)
    if (resource === undefined)
      return fail(
        `no resource ${options.resource}: routes.yaml has ${resources.map(({ identifier }) => identifier).join(', ')}`,
        1,
      )
    const scopes = options.scope.split(/[\s,]+/).filter((scope) => scope !== '')
    const asked = { user, resource, scopes, name: options.name, life: lifeOf(options.expires) }
    const now = Math.floor(Date.now() / 1000)
    const made = await makeAppPassword(store, asked, termsOf(opened), now)
    if (made.kind === 'invalid') return fail(`${made.problem}${await hintFor(opened, asked)}`, 1)
    const { id, name, expiresAt } = made.record
    await store.audit('app_password.added', { id, name, sub: user.sub, resource: resource.identifier, by: BY }, now)
    if (options.json === true) return printJson({ ...shown(opened, made.record), password: made.password })
    printLine(`app password: ${made.password}`)
    printLine(
      `It opens ${resource.identifier} until ${when(expiresAt)}, as the password of any user name. It is shown this once; its id is ${id}.`,
    )
  })
}

async function list(options: Common & { readonly user?: string }): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const { store } = opened
    const sub = options.user === undefined ? undefined : (await userOrExit(store, options.user)).sub
    const passwords = await store.appPasswords(sub === undefined ? {} : { sub })
    if (options.json === true) return printJson(passwords.map((password) => shown(opened, password)))
    const names = new Map((await store.users()).map((user) => [user.sub, user.username]))
    printTable(
      ['ID', 'NAME', 'USER', 'RESOURCE', 'SCOPES', 'MADE', 'LAST USED', 'ENDS'],
      passwords.map((each) => [
        each.id,
        each.name,
        names.get(each.sub) ?? each.sub,
        each.resource,
        each.scopes.join(' '),
        when(each.createdAt),
        each.lastUsedAt === undefined ? 'never' : when(each.lastUsedAt),
        when(endOfAppPassword(each, termsOf(opened))),
      ]),
    )
  })
}

async function revoke(id: string, options: Common): Promise<void> {
  await withStore(options.config, false, async ({ store, acts }) => {
    const [found] = await store.appPasswords({ id })
    if (found === undefined) return fail(`no app password ${id}: \`audgate app-password list\` shows them all`, 1)
    await acts.revokeAppPassword(id, BY, { sub: found.sub })
    printLine(`The app password ${found.name} (${id}) is refused from now on.`)
  })
}

/** The groups of a provider are nothing that a command could ask for. */
async function hintFor({ store }: OpenStore, { user, resource, scopes }: NewAppPassword): Promise<string> {
  const may: readonly string[] = grantableScopes(resource, user.groups)
  const links = await store.providerLinks(user.sub)
  if (links.length === 0 || scopes.every((scope) => may.includes(scope))) return ''
  return ` Groups that a provider gives count only in one that ${user.username} makes under /account after signing in there.`
}

function lifeOf(expires: string | undefined): number | undefined {
  if (expires === undefined) return undefined
  const life = parseLifetime(expires, Number.MAX_SAFE_INTEGER)
  return life.ok ? life.value : fail(`--expires ${life.fault}`, 2)
}

function termsOf({ config: { appPasswords } }: OpenStore): { readonly max: number; readonly unused: number } {
  return { max: appPasswords.maxSeconds, unused: appPasswords.unusedSeconds }
}

/** Without the password's hash. */
function shown(opened: OpenStore, record: AppPasswordRecord): Readonly<Record<string, unknown>> {
  const { id, name, sub, resource, scopes, createdAt, lastUsedAt } = record
  return {
    id,
    name,
    sub,
    resource,
    scopes,
    created_at: createdAt,
    last_used_at: lastUsedAt,
    ends_at: endOfAppPassword(record, termsOf(opened)),
  }
}
