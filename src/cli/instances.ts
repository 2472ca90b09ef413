import { Command } from 'commander'
import { withStore } from './open-store.ts'
import { configOption, jsonOption, printJson, printTable } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

/** Heard of this recently, an instance is taken for current. */
const CURRENT_MS = 10_000

/** `audgate instances`: the processes that hold the store open. */
export function command(): Command {
  return new Command('instances')
    .description('the processes that hold the store open: version, file in force, how far each has read')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(list)
}

async function list(options: Options): Promise<void> {
  const [instances, position] = await withStore(options.config, false, async ({ store }) => [
    await store.instances(),
    (await store.position()).id,
  ])
  if (options.json === true) return printJson({ position, instances })
  printTable(
    ['INSTANCE', 'VERSION', 'FILE', 'READ', 'HEARD', ''],
    instances.map((each) => [
      each.name,
      each.version,
      each.digest,
      `${each.position} of ${position}`,
      `${Math.max(0, Math.round(each.silentMs / 1_000))} s ago`,
      each.silentMs > CURRENT_MS ? 'silent' : each.position < position ? 'behind' : 'current',
    ]),
  )
}
