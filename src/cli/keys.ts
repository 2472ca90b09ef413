import { Command } from 'commander'
import { createSigningKeys } from '../issuer/keys/signing-keys.ts'
import { masterKeyOf } from '../server/open-store.ts'
import type { SigningKeyRecord } from '../store/store.ts'
import { BY, when, withStore } from './open-store.ts'
import { configOption, jsonOption, printJson, printLine, printTable } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

/** `audgate keys`: signing keys of the embedded issuer. */
export function command(): Command {
  const keys = new Command('keys').description('signing keys')
  keys.command('list').description('list signing keys').addOption(configOption()).addOption(jsonOption()).action(list)
  keys
    .command('rotate')
    .description('publish a new key, which then takes over; the old one is kept until its last token has expired')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(rotate)
  return keys
}

async function list(options: Options): Promise<void> {
  const keys = await withStore(options.config, false, ({ store }) => store.signingKeys())
  if (options.json === true) return printJson(keys.map(shown))
  printTable(
    ['KEY', 'ALG', 'STATE', 'MADE', ''],
    keys.map((key) => [key.kid, key.alg, key.state, when(key.createdAt), remark(key)]),
  )
}

async function rotate(options: Options): Promise<void> {
  await withStore(options.config, false, async ({ config, issuer, store }) => {
    const masterKey = await masterKeyOf(config)
    const keys = createSigningKeys({
      store,
      masterKey,
      now: Date.now,
      alg: issuer.signingAlg,
      tokenSeconds: issuer.accessTokenTtlSeconds,
    })
    const key = await keys.rotate()
    await store.audit('keys.rotated', { kid: key.kid, by: BY }, Math.floor(Date.now() / 1000))
    if (options.json === true) return printJson(shown(key))
    printLine(`Key ${key.kid} is published and begins to sign at ${when(key.activateAt)}.`)
    printLine('The old one is kept until its last token has expired.')
  })
}

function remark(key: SigningKeyRecord): string {
  if (key.state === 'pending') return `signs from ${when(key.activateAt)}`
  if (key.state === 'active') return `signs since ${when(key.activateAt)}`
  return key.retireAt === undefined ? '' : `kept until ${when(key.retireAt)}`
}

/** Without the private part, sealed as it is. */
function shown({ sealedPrivateJwk: _, ...key }: SigningKeyRecord): Omit<SigningKeyRecord, 'sealedPrivateJwk'> {
  return key
}
