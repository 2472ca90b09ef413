import type { Command } from 'commander'
import { relyingPartyOf } from '../core/relying-party.ts'
import { stampOf } from '../issuer/acting.ts'
import { AUTHENTICATOR, removeFactor } from '../issuer/people/factor-removal.ts'
import type { UserRecord } from '../store/store.ts'
import { BY, type OpenStore, userOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
  readonly remove?: string
}

/** Adds `user factors`: what a user shows beside the password, or instead of it. */
export function addFactorCommand(user: Command): void {
  user
    .command('factors <name>')
    .description('list the passkeys and the authenticator of a user, or remove one of them')
    .option('--remove <id>', 'remove the factor of this id, and sign the user out everywhere')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(factors)
}

async function factors(name: string, options: Options): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const user = await userOrExit(opened.store, name)
    return options.remove === undefined ? list(opened, user, options) : remove(opened, user, options.remove)
  })
}

async function list({ store }: OpenStore, { sub }: UserRecord, { json }: Options): Promise<void> {
  const app = await store.authenticator(sub)
  const codes = await store.recoveryCodes(sub)
  const passkeys = (await store.passkeys(sub)).map(({ id, name, createdAt, lastUsedAt, backedUp }) => ({
    id,
    kind: 'passkey',
    name,
    added_at: createdAt,
    last_used_at: lastUsedAt,
    synced: backedUp,
  }))
  const apps = app === undefined ? [] : [{ id: AUTHENTICATOR, kind: AUTHENTICATOR, added_at: app.createdAt }]
  if (json === true) return printJson({ factors: [...passkeys, ...apps], recovery_codes: codes })
  printTable(
    ['ID', 'KIND', 'NAME', 'ADDED', 'LAST USED'],
    [
      ...passkeys.map((each) => {
        const used = each.last_used_at === undefined ? 'never' : when(each.last_used_at)
        return [each.id, each.synced ? 'passkey, synced' : 'passkey', each.name, when(each.added_at), used]
      }),
      ...apps.map((each) => [each.id, each.kind, '', when(each.added_at), '']),
    ],
  )
  printLine(`Recovery codes left: ${codes}`)
}

async function remove({ store, issuer, config }: OpenStore, user: UserRecord, id: string): Promise<void> {
  const { username, sub } = user
  const removed = await removeFactor(store, {
    user,
    id,
    ways: issuer,
    offered: issuer.passkeys && relyingPartyOf(config.publicUrl) !== undefined,
    mayEndLast: true,
    thenByLink: true,
    detail: { by: BY },
    at: Math.floor(Date.now() / 1000),
    endsAllAt: stampOf({ now: Date.now }),
  })
  if (removed === 'unknown')
    return fail(
      `user ${username} has no factor ${JSON.stringify(id)}: \`audgate user factors ${username}\` lists them`,
      1,
    )
  if (removed === 'last_sign_in')
    return fail(
      `last_sign_in: nothing else opens the account of ${username}; \`audgate user recover ${username} --reset passkeys\` makes a link that does`,
      1,
    )
  printLine(`Removed it, and signed ${username} out everywhere.`)
  if (await store.isFactorReset(sub))
    printLine(
      `It was the last one: the next one comes by a link of \`audgate user recover ${username}\`, not by the password alone.`,
    )
}
