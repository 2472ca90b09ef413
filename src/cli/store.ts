import { resolve } from 'node:path'
import { Command } from 'commander'
import { readSecrets } from '../config/check/secrets.ts'
import { parseStore } from '../config/schema/store-schema.ts'
import { entry, everything, line, stampOf } from '../issuer/acting.ts'
import { APP_PASSWORD_CLIENT, BROWSER_CLIENT } from '../issuer/clients/reserved.ts'
import { openStore } from '../server/open-store.ts'
import { type CopyEnd, copyStore } from '../store/copy-store.ts'
import { type Store, StoreError } from '../store/store.ts'
import { BY, issuerOrExit, type OpenStore, withStore } from './open-store.ts'
import { configOption, fail, printLine, readConfigOrExit } from './output.ts'

interface Options {
  readonly config: string
}

/** `audgate store`: what is to be done with the store as a whole. */
export function command(): Command {
  const store = new Command('store').description(
    'the store as a whole: look at it, bring it up to date, after a restore',
  )
  store
    .command('check')
    .description('say whether the store can be reached, read and written')
    .addOption(configOption())
    .action(check)
  store
    .command('migrate')
    .description('bring the tables up to date; for `store.migrate: never`')
    .addOption(configOption())
    .action(migrate)
  store
    .command('copy')
    .description('copy everything into an empty store; stop the servers first')
    .requiredOption('--from <url>', '`sqlite:PATH` or `postgres://USER@HOST/DATABASE`')
    .requiredOption('--to <url>', 'the same; AUDGATE_STORE_PASSWORD is the password of either')
    .action(copy)
  store
    .command('restored')
    .description(
      'after a restore from a backup: end every sign-in, app password and one-time link, so that nothing revoked since lives again',
    )
    .addOption(configOption())
    .action((options: Options) => withStore(options.config, false, restored))
  return store
}

async function check(options: Options): Promise<void> {
  await withStore(options.config, false, async ({ store, config }) => {
    const { epoch, id } = await store.position()
    await store.putValue('last written', new Date().toISOString())
    const { users, clients } = await store.counts()
    const where = config.store.kind === 'sqlite' ? config.store.path : `PostgreSQL database ${config.store.database}`
    printLine(
      `${where} can be read and written: ${users} users, ${clients} clients, revocations up to ${id} (${epoch}).`,
    )
  })
}

async function copy({ from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const ends = [endOf('--from', from), endOf('--to', to)] as const
  try {
    const { rows, running } = await copyStore(...ends)
    if (running.length > 0)
      process.stderr.write(
        `audgate: ${running.join(', ')} may run still: what it writes from now on is not in the copy. Stop it and copy anew.\n`,
      )
    printLine(
      `${rows} rows are copied. What is sealed in them wants the same AUDGATE_SECRET, or AUDGATE_KEY_FILE with the key file of the store.`,
    )
  } catch (error) {
    if (error instanceof StoreError) return fail(`${error.message}: ${error.hint}`, 1)
    throw error
  }
}

function endOf(option: string, text: string): CopyEnd {
  const address = parseStore(text)
  if (!address.ok) return fail(`${option} ${address.fault}`, 2)
  const { value } = address
  if (value.kind === 'sqlite') return { kind: 'sqlite', path: resolve(value.path) }
  const password = readSecrets(process.env).secrets.storePassword
  const defaults = { pool: 2, pooler: 'none', ca: undefined, timeoutMs: 60_000, migrate: 'auto' } as const
  return { kind: 'postgres', options: { ...value, ...defaults, password, instance: 'copy', now: Date.now } }
}

async function migrate(options: Options): Promise<void> {
  const config = readConfigOrExit(options.config)
  issuerOrExit(options.config, config)
  const { store } = config
  try {
    const opened = await openStore({
      ...config,
      store: store.kind === 'postgres' ? { ...store, migrate: 'auto' } : store,
    })
    await opened.close()
    printLine('The tables are up to date.')
  } catch (error) {
    if (error instanceof StoreError) return fail(`${error.message}: ${error.hint}`, 1)
    throw error
  }
}

/** People or clients of one act: what it locks and changes is not much, and a disk is waited for once for all of them. */
const AT_ONCE = 200

/**
 * People, clients and consents stay; whoever was signed in signs in again. App passwords and one-time links that were taken back or
 * used since the backup can't be told from others, so all of them end.
 */
async function restored({ store }: OpenStore): Promise<void> {
  await store.renewEpoch()
  const links = await store.voidOpenLinks()
  let people = 0
  for (let users = await store.usersAfter('', AT_ONCE); users.length > 0; ) {
    await endPeople(
      store,
      users.map(({ sub }) => sub),
    )
    people += users.length
    users = await store.usersAfter(users.at(-1)?.username ?? '', AT_ONCE)
  }
  await endClients(store, [BROWSER_CLIENT, APP_PASSWORD_CLIENT])
  for (let clients = await store.clientsAfter('', AT_ONCE); clients.length > 0; ) {
    await endClients(
      store,
      clients.map(({ id }) => id),
    )
    clients = await store.clientsAfter(clients.at(-1)?.id ?? '', AT_ONCE)
  }
  printLine(
    `Every sign-in, token and app password of before has ended, of ${people} people; ${links} one-time links are void. People, clients and consents are as they were in the backup.`,
  )
}

async function endPeople(store: Store, subs: readonly string[]): Promise<void> {
  const stamp = stampOf({ now: Date.now })
  const all = subs.map((sub) => everything(sub, stamp))
  await store.act({
    asOfMs: stamp.notBeforeMs,
    revocations: all.flatMap(({ revocations }) => revocations),
    deleteConsents: [],
    endAuthorizations: all.flatMap(({ endAuthorizations }) => endAuthorizations),
    endSessions: all.flatMap(({ endSessions }) => endSessions),
    endAppPasswords: subs.map((sub) => ({ sub, revokeTokens: stamp })),
    audit: line('store.restored', { people: subs.length, by: BY }),
  })
}

async function endClients(store: Store, ids: readonly string[]): Promise<void> {
  const stamp = stampOf({ now: Date.now })
  await store.act({
    asOfMs: stamp.notBeforeMs,
    revocations: ids.map((id) => entry('client', id, stamp)),
    deleteConsents: [],
    endAuthorizations: ids.map((clientId) => ({ clientId })),
    endSessions: [],
    audit: line('store.restored', { clients: ids.length, by: BY }),
  })
}
