import { resolve } from 'node:path'
import { Command } from 'commander'
import { readSecrets } from '../config/check/secrets.ts'
import { parseStore } from '../config/schema/store-schema.ts'
import { openStore } from '../server/open-store.ts'
import { type CopyEnd, copyStore } from '../store/copy-store.ts'
import { type Store, StoreError } from '../store/store.ts'
import { BY, type OpenStore, withStore } from './open-store.ts'
import { configOption, fail, printLine, readConfigOrExit } from './output.ts'

interface Options {
  readonly config: string
}

const DAY_SECONDS = 86_400
const TOLERANCE_SECONDS = 3_600

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
    .description('after a restore from a backup: end every sign-in, so that nothing revoked since lives again')
    .addOption(configOption())
    .action((options: Options) => withStore(options.config, false, restored))
  return store
}

async function check(options: Options): Promise<void> {
  await withStore(options.config, false, async ({ store, config }) => {
    const { epoch, id } = await store.position()
    await store.putValue('last written', new Date().toISOString())
    const counts = [(await store.users()).length, (await store.clients()).length]
    const where = config.store.kind === 'sqlite' ? config.store.path : `PostgreSQL database ${config.store.database}`
    printLine(
      `${where} can be read and written: ${counts[0]} users, ${counts[1]} clients, revocations up to ${id} (${epoch}).`,
    )
  })
}

async function copy({ from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const ends = [endOf('--from', from), endOf('--to', to)] as const
  try {
    const rows = await copyStore(...ends)
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

/** People, clients and consents stay; whoever was signed in signs in again. */
async function restored({ store, acts }: OpenStore): Promise<void> {
  await store.renewEpoch()
  for (const { sub } of await store.users()) await acts.signOutEverywhere(sub, BY)
  for (const { id } of await store.clients()) await endTokens(store, id)
  printLine(
    'Every sign-in and every token of before has ended. People, clients and consents are as they were in the backup.',
  )
}

async function endTokens(store: Store, clientId: string): Promise<void> {
  const notBeforeMs = Date.now()
  const expiresAt = Math.ceil(notBeforeMs / 1_000) + DAY_SECONDS + TOLERANCE_SECONDS
  await store.act({
    asOfMs: notBeforeMs,
    revocations: [{ kind: 'client', key: clientId, notBeforeMs, expiresAt }],
    deleteConsents: [],
    endAuthorizations: [{ clientId }],
    endSessions: [],
    audit: { event: 'store.restored', detail: { client: clientId, by: BY } },
  })
}
