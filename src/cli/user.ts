import { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { relyingPartyOf } from '../core/relying-party.ts'
import { createPasswords } from '../issuer/people/passwords.ts'
import { addUser, emailProblem, groupsProblem, isLastAdministrator, usernameProblem } from '../issuer/people/people.ts'
import type { UserRecord } from '../store/store.ts'
import { BY, type OpenStore, userOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable } from './output.ts'
import { readNewPassword } from './read-password.ts'
import { addFactorCommand } from './user-factors.ts'
import { addOneTimeLinkCommands } from './user-invite.ts'
import { addLinkCommands } from './user-links.ts'

interface Common {
  readonly config: string
  readonly json?: boolean
}

interface AddOptions extends Common {
  readonly groups?: string
  readonly email?: string
  readonly name?: string
  readonly passwordStdin?: boolean
}

interface Forced extends Common {
  readonly force?: boolean
}

interface PasswordOptions extends Common {
  readonly passwordStdin?: boolean
}

const FORCE = 'even where nobody could administer any more'
const PASSWORD_STDIN = 'read the password from stdin instead of asking for it'

/** `audgate user`: accounts of the embedded issuer. */
export function command(): Command {
  const user = new Command('user').description('accounts of the embedded issuer')
  user
    .command('add <name>')
    .description('add a user; asks for the password')
    .option('--groups <a,b>', 'groups, which decide what the user may be given')
    .option('--email <email>', 'mail address')
    .option('--name <name>', 'name that people and services see')
    .option('--password-stdin', PASSWORD_STDIN)
    .addOption(configOption())
    .addOption(jsonOption())
    .action(add)
  user.command('list').description('list users').addOption(configOption()).addOption(jsonOption()).action(list)
  user
    .command('groups <name> <groups>')
    .description("set a user's groups (a,b); '' for none; tokens that a removed group gave end at once")
    .option('--force', FORCE)
    .addOption(configOption())
    .addOption(jsonOption())
    .action(setGroups)
  user
    .command('passwd <name>')
    .description('set a new password; ends all sessions and tokens of the user')
    .option('--password-stdin', PASSWORD_STDIN)
    .addOption(configOption())
    .action(setPassword)
  user
    .command('disable <name>')
    .description('end all sessions and tokens of a user, and let nobody sign in as that user')
    .option('--force', FORCE)
    .addOption(configOption())
    .action(disable)
  user.command('enable <name>').description('let a disabled user in again').addOption(configOption()).action(enable)
  addLinkCommands(user)
  addFactorCommand(user)
  addOneTimeLinkCommands(user)
  return user
}

async function add(name: string, options: AddOptions): Promise<void> {
  const groups = groupList(options.groups ?? '')
  const problem = usernameProblem(name) ?? groupsProblem(groups) ?? emailProblem(options.email)
  if (problem !== undefined) return fail(problem, 2)
  await withStore(options.config, true, async ({ config, issuer, store }) => {
    if ((await store.userByName(name)) !== undefined) return fail(exists(name), 1)
    const { email, name: displayName } = options
    const rules = { min: issuer.passwordMin, names: namesOf(config, { username: name, displayName, email }) }
    const passwordHash = await hash(await readNewPassword(options.passwordStdin === true, rules))
    const added = await addUser(store, { username: name, displayName, email, groups, passwordHash }, Date.now())
    if (added.kind === 'exists') return fail(exists(name), 1)
    if (added.kind === 'invalid') return fail(added.problem, 2)
    await store.audit('user.added', { sub: added.user.sub, groups, by: BY }, added.user.createdAt)
    if (options.json === true) printJson(shown(added.user))
    else printLine(`Added user ${added.user.username}, ${inGroups(groups)}.`)
  })
}

async function list(options: Common): Promise<void> {
  const users = await withStore(options.config, false, ({ store }) => store.users())
  if (options.json === true) return printJson(users.map(shown))
  printTable(
    ['NAME', 'STATE', 'GROUPS', 'EMAIL', 'ADDED', 'SUB'],
    users.map((user) => [
      user.username,
      user.disabled ? 'disabled' : 'active',
      user.groups.join(','),
      user.email ?? '',
      when(user.createdAt),
      user.sub,
    ]),
  )
}

async function setGroups(name: string, groupsText: string, options: Forced): Promise<void> {
  const groups = [...new Set(groupList(groupsText))]
  const problem = groupsProblem(groups)
  if (problem !== undefined) return fail(problem, 2)
  await withStore(options.config, false, async (opened) => {
    const user = await changing(opened, name, options, groups, (sub) => opened.acts.changeGroups(sub, groups, BY))
    if (options.json === true) return printJson(shown({ ...user, groups }))
    const removed = user.groups.filter((group) => !groups.includes(group))
    const ended = removed.length === 0 ? '' : ` Tokens that carry ${removed.join(', ')} have ended.`
    printLine(`User ${user.username} is ${inGroups(groups)} now.${ended}`)
  })
}

async function setPassword(name: string, options: PasswordOptions): Promise<void> {
  await withStore(options.config, false, async ({ config, issuer, store, acts }) => {
    const user = await userOrExit(store, name)
    const rules = { min: issuer.passwordMin, names: namesOf(config, user) }
    const passwordHash = await hash(await readNewPassword(options.passwordStdin === true, rules))
    await acts.changePassword(user.sub, passwordHash, {}, BY)
    printLine(`Password of ${user.username} changed; all sessions and tokens of that user have ended.`)
  })
}

async function disable(name: string, options: Forced): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const user = await changing(opened, name, options, undefined, (sub) => opened.acts.disableUser(sub, BY))
    printLine(`User ${user.username} is disabled; all sessions and tokens of that user have ended.`)
  })
}

/** Carries an act out on a person, unless nobody could administer any more after it. @param left The groups that they keep. */
async function changing(
  { config, issuer, store }: OpenStore,
  name: string,
  { force = false }: Forced,
  left: readonly string[] | undefined,
  act: (sub: string) => Promise<unknown>,
): Promise<UserRecord> {
  const ways = { ways: issuer, offered: issuer.passkeys && relyingPartyOf(config.publicUrl) !== undefined }
  const rules = { adminGroups: config.admin?.groups ?? [], ...ways }
  const changed = await store.unit(
    async () => {
      // Who is the last one is judged and acted on in one step, as gateways that run on this store do it.
      await store.hold({ people: true })
      const user = await userOrExit(store, name)
      if (!force && (await isLastAdministrator(store, rules, user, left))) return undefined
      await act(user.sub)
      return user
    },
    (user) => user !== undefined,
  )
  return changed ?? fail(lastAdministrator(name), 1)
}

function lastAdministrator(name: string): string {
  return `last_admin: ${name} is the last administrator who can sign in; make another one first (\`audgate user invite NAME --groups …\`), or say --force`
}

async function enable(name: string, options: Common): Promise<void> {
  await withStore(options.config, false, async ({ store, acts }) => {
    const user = await userOrExit(store, name)
    await acts.enableUser(user.sub, BY)
    printLine(`User ${user.username} may sign in again.`)
  })
}

/** What a password must not be made of. */
function namesOf(
  { publicUrl }: Config,
  { username, displayName, email }: Pick<UserRecord, 'username' | 'displayName' | 'email'>,
): readonly string[] {
  return [username, displayName ?? '', email ?? '', new URL(publicUrl).host, 'audgate']
}

async function hash(password: string): Promise<string> {
  return (await createPasswords().hash(password)) ?? fail('the password could not be hashed: try again', 1)
}

function groupList(text: string): string[] {
  return text
    .split(',')
    .map((group) => group.trim())
    .filter((group) => group !== '')
}

function inGroups(groups: readonly string[]): string {
  return groups.length === 0 ? 'in no group' : `in ${groups.join(', ')}`
}

function exists(name: string): string {
  return `user ${JSON.stringify(name)} is there already: choose another name, or use \`audgate user groups\` or \`passwd\``
}

/** Without the password's hash. */
function shown({ passwordHash: _, ...user }: UserRecord): Omit<UserRecord, 'passwordHash'> {
  return user
}
