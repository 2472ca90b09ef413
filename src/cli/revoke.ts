import { setTimeout as delay } from 'node:timers/promises'
import { Command } from 'commander'
import type { InstanceRecord, Store } from '../store/store.ts'
import { BY, clientOrExit, type OpenStore, userOrExit, withStore } from './open-store.ts'
import { configOption, fail, printLine } from './output.ts'

interface Options {
  readonly config: string
  readonly client?: string
  readonly user?: string
  readonly jti?: string
  readonly everywhere?: boolean
}

/** `audgate revoke`: ends what is out; signing in anew works. */
export function command(): Command {
  return new Command('revoke')
    .description('end access and refresh tokens and the consents behind them; signing in anew works')
    .option('--client <id>', 'of this client')
    .option('--user <name>', 'of this user; with --client, of this user at that client')
    .option('--jti <jti>', 'this one access token')
    .option('--everywhere', 'return when every instance has it, or trusts itself no more')
    .addOption(configOption())
    .action(revoke)
}

async function revoke(options: Options): Promise<void> {
  const { client, user, jti } = options
  const named =
    jti === undefined ? client !== undefined || user !== undefined : client === undefined && user === undefined
  if (!named || jti === '') return fail('say what to end: --client ID, --user NAME, both of these, or --jti J', 2)
  await withStore(options.config, false, async (opened) => {
    if (jti !== undefined) await endToken(opened, jti)
    else if (user !== undefined) await endUser(opened, user, client)
    else if (client !== undefined) await endClient(opened, client)
    if (options.everywhere === true) await untilEverywhere(opened)
  })
}

const LOOK_MS = 200
/** An instance that is cut off counts its own time; this much lies between its last look and its last line. */
const MARGIN_MS = 1_500

/**
 * Resolves when each instance has read that far, or takes no tokens any more: it was heard of too long ago, or has read nothing
 * since the act for as long as what it knows may be old, whatever it says of itself.
 */
async function untilEverywhere({ store, config }: OpenStore): Promise<void> {
  const since = performance.now()
  const { id } = await store.position()
  const lacking = async () => (await store.instances()).filter(({ position }) => position < id)
  const trusts = ({ silentMs, staleAfterMs }: InstanceRecord): boolean =>
    Math.max(silentMs, performance.now() - since) < staleAfterMs + MARGIN_MS
  let late = await lacking()
  for (; late.some(trusts); late = await lacking()) await delay(LOOK_MS)
  if (late.length === 0 || config.staleRevocations.action === 'refuse')
    return printLine('Every instance has it, or trusts itself no more.')
  const names = late.map(({ name }) => name).join(', ')
  fail(
    `not in force at ${names}: with \`on_stale_revocations: allow\` it takes what was revoked there until that expires`,
    1,
  )
}

async function endToken({ acts }: OpenStore, jti: string): Promise<void> {
  await acts.revokeJti(jti, undefined, BY)
  printLine(`Token ${jti} is refused from now on.`)
}

async function endUser({ store, acts }: OpenStore, name: string, client: string | undefined): Promise<void> {
  const user = await userOrExit(store, name)
  if (client === undefined) {
    await acts.revokeUser(user.sub, BY)
    return printLine(`All sessions, tokens and consents of ${user.username} have ended.`)
  }
  await knownClient(store, client)
  await acts.revokeUserClient(user.sub, client, BY)
  printLine(`What ${client} had of ${user.username} has ended.`)
}

async function endClient({ store, acts }: OpenStore, client: string): Promise<void> {
  await knownClient(store, client)
  await acts.endClient(client, BY)
  printLine(`All tokens of ${client} and the consents behind them have ended; signing in anew works.`)
}

/** A client that is known by its metadata document alone has authorizations, but need not have a row of its own. */
async function knownClient(store: Store, id: string): Promise<void> {
  if ((await store.authorizations({ clientId: id })).length === 0) await clientOrExit(store, id)
}
