import type { Command } from 'commander'
import { parseLifetime } from '../config/schema/leaf.ts'
import { type LinkKind, LONGEST_LINK_SECONDS, makeLink, RESETTABLE } from '../issuer/people/links.ts'
import { addUser, emailProblem, groupsProblem, usernameProblem } from '../issuer/people/people.ts'
import { linkMail } from '../server/mail/link-mail.ts'
import { sendMail } from '../server/mail/mailer.ts'
import type { Store, UserRecord } from '../store/store.ts'
import { BY, type OpenStore, userOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine } from './output.ts'

interface LinkOptions {
  readonly config: string
  readonly json?: boolean
  readonly ttl?: string
  readonly mail?: boolean
}

interface InviteOptions extends LinkOptions {
  readonly groups?: string
  readonly email?: string
  readonly name?: string
}

interface RecoverOptions extends LinkOptions {
  readonly reset?: string
}

const TTL = 'how long the link works, such as 72h'
const MAIL = 'send the link to the mail address of the user, by the mail server that `mail` names'

/** Adds `invite` and `recover` to `audgate user`: one-time links, printed once. */
export function addOneTimeLinkCommands(user: Command): void {
  user
    .command('invite <name>')
    .description('add a user who sets a password by a one-time link, or make another link for one who has none yet')
    .option('--groups <a,b>', 'groups, which decide what the user may be given')
    .option('--email <email>', 'mail address')
    .option('--name <name>', 'name that people and services see')
    .option('--ttl <time>', TTL)
    .option('--mail', MAIL)
    .addOption(configOption())
    .addOption(jsonOption())
    .action(invite)
  user
    .command('recover <name>')
    .description('print a one-time link that sets a new password; ends all sessions and tokens when it is used')
    .option('--reset <what>', `what goes when it is used: ${RESETTABLE.join(', ')}`, RESETTABLE[0])
    .option('--ttl <time>', TTL)
    .option('--mail', MAIL)
    .addOption(configOption())
    .addOption(jsonOption())
    .action(recover)
}

async function invite(name: string, options: InviteOptions): Promise<void> {
  const groups = options.groups === undefined ? undefined : groupList(options.groups)
  const problem = usernameProblem(name) ?? groupsProblem(groups ?? []) ?? emailProblem(options.email)
  if (problem !== undefined) return fail(problem, 2)
  const ttl = lifetime(options.ttl)
  await withStore(options.config, true, async (opened) => {
    const { email, name: displayName } = options
    const known = await opened.store.userByName(name)
    if (known !== undefined) refuseChange(known, groups, email, displayName)
    if (options.mail === true) demandMailable(opened, known?.email ?? email)
    const user = known ?? (await add(opened.store, { username: name, displayName, email, groups: groups ?? [] }))
    await printLink(opened, 'invite', user, ttl ?? opened.issuer.links.inviteSeconds, [], options)
  })
}

async function recover(name: string, options: RecoverOptions): Promise<void> {
  const reset = groupList(options.reset ?? '')
  const unknown = reset.find((each) => !RESETTABLE.some((known) => known === each))
  if (unknown !== undefined) return fail(`--reset ${JSON.stringify(unknown)}: use ${RESETTABLE.join(', ')}`, 2)
  const ttl = lifetime(options.ttl)
  await withStore(options.config, false, async (opened) => {
    const user = await userOrExit(opened.store, name)
    if (options.mail === true) demandMailable(opened, user.email)
    await printLink(opened, 'recover', user, ttl ?? opened.issuer.links.recoverSeconds, reset, options)
  })
}

async function printLink(
  { store, config }: OpenStore,
  kind: LinkKind,
  user: UserRecord,
  seconds: number,
  reset: readonly string[],
  { json, mail }: LinkOptions,
): Promise<void> {
  if (user.disabled) return fail(`user ${user.username} is disabled: \`audgate user enable\` first`, 1)
  const made = await makeLink(store, config.publicOrigin, { kind, user, seconds, reset }, { by: BY }, Date.now())
  switch (made.kind) {
    case 'has_sign_in':
      return fail(`user ${user.username} can sign in already: use \`audgate user recover\` for a new password`, 1)
    case 'too_many':
      return fail(`user ${user.username} has five links that still work: use one, or wait until they have expired`, 1)
    case 'made':
  }
  const { url, link } = made
  const problem = mail === true ? await sendLink(config, kind, user, url, link.expiresAt) : undefined
  if (json === true)
    printJson({ sub: user.sub, username: user.username, id: link.id, url, expires_at: iso(link.expiresAt) })
  else if (mail === true && problem === undefined)
    printLine(`The link is on its way to ${user.email}. It works once, until ${when(link.expiresAt)}.`)
  else printMade(kind, user, url, link.expiresAt)
  if (problem !== undefined) fail(`no mail was sent: ${problem}`, 1)
}

function printMade(kind: LinkKind, user: UserRecord, url: string, expiresAt: number): void {
  printLine(`${WORDS[kind](user.username)} Works once, until ${when(expiresAt)}; it is not shown again:`)
  printLine(url)
}

function demandMailable({ config }: OpenStore, email: string | undefined): void {
  if (config.mail === undefined) fail('--mail needs a mail server: set `mail` in routes.yaml, or leave --mail out', 1)
  if (email === undefined) fail('--mail needs a mail address: this user has none', 1)
}

/** What is wrong; undefined: the mail server took it. */
async function sendLink(
  { mail }: OpenStore['config'],
  kind: LinkKind,
  user: UserRecord,
  url: string,
  expiresAt: number,
): Promise<string | undefined> {
  if (mail === undefined || user.email === undefined) return 'there is no mail server, or no address'
  const sent = await sendMail(mail, linkMail(user.email, { kind, url, expiresAt, user, maker: undefined }))
  return sent.kind === 'sent' ? undefined : sent.problem
}

const WORDS: Readonly<Record<LinkKind, (name: string) => string>> = {
  invite: (name) => `Send this link to ${name}, who sets a password with it.`,
  recover: (name) => `Send this link to ${name}, who sets a new password with it; all else of theirs ends then.`,
}

async function add(store: Store, input: Omit<Parameters<typeof addUser>[1], 'passwordHash'>): Promise<UserRecord> {
  const added = await addUser(store, { ...input, passwordHash: undefined }, Date.now())
  if (added.kind === 'exists') return fail(`user ${JSON.stringify(input.username)} was added meanwhile: try again`, 1)
  if (added.kind === 'invalid') return fail(added.problem, 2)
  const { user } = added
  await store.audit('user.added', { sub: user.sub, groups: user.groups, by: BY }, user.createdAt)
  return user
}

/** An invitation changes nobody who is there: a mistyped name must not make somebody else an administrator. */
function refuseChange(
  user: UserRecord,
  groups: readonly string[] | undefined,
  email: string | undefined,
  displayName: string | undefined,
): void {
  const sameGroups = groups === undefined || [...groups].sort().join() === [...user.groups].sort().join()
  const same =
    sameGroups && (email ?? user.email) === user.email && (displayName ?? user.displayName) === user.displayName
  if (same) return
  fail(
    `user ${user.username} is there already, with other facts: leave --groups, --email and --name out, or use \`audgate user groups\``,
    1,
  )
}

function lifetime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const parsed = parseLifetime(text, LONGEST_LINK_SECONDS)
  return parsed.ok ? parsed.value : fail(`--ttl ${parsed.fault}`, 2)
}

function groupList(text: string): readonly string[] {
  const groups = text.split(',').map((group) => group.trim())
  return [...new Set(groups.filter((group) => group !== ''))]
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
