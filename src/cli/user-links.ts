import type { Command } from 'commander'
import { giveUpAtProvider } from '../issuer/federation/sign-in-tokens.ts'
import { masterKeyOf } from '../server/open-store.ts'
import type { ProviderLink, ProviderSignIn } from '../store/provider-store.ts'
import { BY, type OpenStore, userOrExit, withStore } from './open-store.ts'
import { configOption, fail, printLine } from './output.ts'

interface Options {
  readonly config: string
}

/** Adds `user link`, `user unlink` and `user forget`: whose account an identity of a provider is. */
export function addLinkCommands(user: Command): void {
  user
    .command('link <name> <provider> <value>')
    .description('let a person of a provider sign in to this account; VALUE is what its claim (usually sub) says')
    .addOption(configOption())
    .action(link)
  user
    .command('unlink <name> <provider>')
    .description('take a provider away as a way in; ends what came from it')
    .addOption(configOption())
    .action(unlink)
  user
    .command('forget <name> <provider>')
    .description(
      'forget what a provider said of a user and end what came from it; signing in there again stays possible',
    )
    .addOption(configOption())
    .action(forget)
}

async function link(name: string, provider: string, value: string, options: Options): Promise<void> {
  if (value === '' || value.length > 255 || /\p{Cc}/u.test(value))
    return fail('VALUE must be what the claim says, in at most 255 characters', 2)
  await withStore(options.config, false, async (opened) => {
    const { store } = opened
    const user = await userOrExit(store, name)
    const { issuer } = providerOrExit(opened, provider)
    const linkedAt = Math.floor(Date.now() / 1000)
    const entry = { issuer, person: value, sub: user.sub, email: undefined, linkedAt, groups: [], statedAtMs: 0 }
    const linked = await store.linkProvider(entry, undefined)
    if (linked.kind === 'known' && linked.sub !== user.sub)
      return fail(`that person of ${provider} has another account: unlink it first`, 1)
    if (linked.kind === 'account_linked')
      return fail(`user ${name} has another identity of ${provider}: unlink it first`, 1)
    if (linked.kind === 'linked') await store.audit('federation.linked', { provider, sub: user.sub, by: BY }, linkedAt)
    printLine(`User ${user.username} may sign in with ${provider} now.`)
  })
}

async function unlink(name: string, provider: string, options: Options): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const { store, acts } = opened
    const found = await linkOrExit(opened, name, provider)
    const signIns = await store.providerSignIns({ issuer: found.issuer, person: found.person })
    await acts.unlinkProvider(found, signIns, { provider, sub: found.sub, by: BY })
    printLine(`User ${name} can’t sign in with ${provider} any more; what came from it has ended.`)
    await giveUp(opened, provider, signIns)
    const user = await store.userBySub(found.sub)
    const left = await store.providerLinks(found.sub)
    if (left.length === 0 && user?.passwordHash === undefined) {
      printLine(`No way in is left: \`audgate user passwd ${name}\` sets a password.`)
    }
  })
}

async function forget(name: string, provider: string, options: Options): Promise<void> {
  await withStore(options.config, false, async (opened) => {
    const { store, acts } = opened
    const { issuer, person, sub, groups } = await linkOrExit(opened, name, provider)
    const signIns = await store.providerSignIns({ issuer, person })
    await acts.endProviderSignIns(signIns, false, {
      reason: 'forgotten',
      by: BY,
      ...(signIns.length === 0 ? { provider, sub } : {}),
    })
    const nowMs = Date.now()
    const refused = { notBeforeMs: nowMs, expiresAt: Math.ceil(nowMs / 1000) + 86_460 }
    await store.stateGroups({ issuer, person, groups: [], statedAtMs: nowMs, refused, asOfMs: nowMs })
    const said = groups.length === 0 ? '' : `, and its groups ${groups.join(', ')} are forgotten`
    printLine(`What came from ${provider} for user ${name} has ended${said}.`)
    await giveUp(opened, provider, signIns)
  })
}

/** Here it is over already; there, too, nobody is to ask with it any more. */
async function giveUp(opened: OpenStore, id: string, signIns: readonly ProviderSignIn[]): Promise<void> {
  const provider = providerOrExit(opened, id)
  const left = await giveUpAtProvider(provider, await masterKeyOf(opened.config), signIns)
  if (left > 0) printLine(`${id} could not be told: a refresh token that it gave stays good there until it expires.`)
}

async function linkOrExit(opened: OpenStore, name: string, provider: string): Promise<ProviderLink> {
  const user = await userOrExit(opened.store, name)
  const { issuer } = providerOrExit(opened, provider)
  const found = (await opened.store.providerLinks(user.sub)).find((each) => each.issuer === issuer)
  return found ?? fail(`user ${name} is not connected with ${provider}`, 1)
}

function providerOrExit({ issuer }: OpenStore, id: string) {
  const known = issuer.providers.map((each) => each.id).join(', ')
  const found = issuer.providers.find((each) => each.id === id)
  return (
    found ??
    fail(`no provider ${JSON.stringify(id)}: ${known === '' ? 'the file names none' : `there are ${known}`}`, 1)
  )
}
