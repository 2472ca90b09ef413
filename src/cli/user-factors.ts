import type { Command } from 'commander'
import { BY, userOrExit, when, withStore } from './open-store.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
  readonly remove?: string
}

const AUTHENTICATOR = 'authenticator'

/** Adds `user factors`: what a user shows beside the password. */
export function addFactorCommand(user: Command): void {
  user
    .command('factors <name>')
    .description('list what a user shows beside the password, or remove one of them')
    .option('--remove <id>', 'remove the factor of this id; its recovery codes go with an authenticator')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(factors)
}

async function factors(name: string, options: Options): Promise<void> {
  await withStore(options.config, false, async ({ store }) => {
    const { sub, username } = await userOrExit(store, name)
    const found = await store.authenticator(sub)
    if (options.remove !== undefined) {
      if (options.remove !== AUTHENTICATOR || !(await store.removeAuthenticator(sub)))
        return fail(
          `user ${username} has no factor ${JSON.stringify(options.remove)}: \`audgate user factors ${username}\` lists them`,
          1,
        )
      await store.audit('factor.removed', { sub, factor: AUTHENTICATOR, by: BY }, Math.floor(Date.now() / 1000))
      return printLine(`Removed the authenticator of ${username}; the password alone signs in now.`)
    }
    const codesLeft = await store.recoveryCodes(sub)
    const all = found === undefined ? [] : [{ id: AUTHENTICATOR, added_at: found.createdAt, recovery_codes: codesLeft }]
    if (options.json === true) return printJson(all)
    printTable(
      ['ID', 'ADDED', 'RECOVERY CODES LEFT'],
      all.map((each) => [each.id, when(each.added_at), String(each.recovery_codes)]),
    )
  })
}
