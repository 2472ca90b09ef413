import { Command, InvalidArgumentError } from 'commander'
import type { AuditRecord, Store } from '../store/store.ts'
import { when, withStore } from './open-store.ts'
import { configOption, printLine } from './output.ts'

interface Options {
  readonly config: string
  readonly follow?: boolean
  readonly json?: boolean
  readonly last?: number
}

const PAGE = 500
const LOOK_MS = 500

/** `audgate audit`: what was done and refused, by whichever process. */
export function command(): Command {
  return new Command('audit')
    .description(
      'print the audit trail, oldest first: sign-ins, grants, refusals, revocations, changes by whichever process',
    )
    .option('--follow', 'go on with lines as they come, until Ctrl-C')
    .option('--last <n>', 'the last n lines only', count)
    .option('--json', 'one JSON object a line')
    .addOption(configOption())
    .action(audit)
}

async function audit(options: Options): Promise<void> {
  await withStore(options.config, false, async ({ store }) => {
    const print = options.json === true ? printRecord : printWords
    let after = options.last === undefined ? 0 : await beforeLast(store, options.last)
    for (;;) {
      const page = await store.auditsAfter(after, PAGE)
      for (const record of page) print(record)
      after = page.at(-1)?.id ?? after
      if (page.length === PAGE) continue
      // Whoever reads has closed its end: there is nobody to go on for.
      if (options.follow !== true || process.stdout.destroyed || !process.stdout.writable) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  })
}

async function beforeLast(store: Store, last: number): Promise<number> {
  if (last === 0) return (await store.audits(1))[0]?.id ?? 0
  let before: number | undefined
  for (let left = last; left > 0; left -= PAGE) {
    const page = await store.audits(Math.min(left, PAGE), before)
    before = page.at(-1)?.id ?? before
    if (page.length < Math.min(left, PAGE)) break
  }
  return before === undefined ? 0 : before - 1
}

function printRecord({ id, at, event, detail }: AuditRecord): void {
  process.stdout.write(`${JSON.stringify({ id, time: new Date(at * 1000).toISOString(), event, ...detail })}\n`)
}

function printWords({ at, event, detail }: AuditRecord): void {
  const facts = Object.entries(detail).flatMap(([name, value]) =>
    value === undefined || value === null
      ? []
      : [`${name}=${typeof value === 'string' ? word(value) : JSON.stringify(value)}`],
  )
  printLine([when(at), event.padEnd(24), ...facts].join('  ').trimEnd())
}

/** Quoted where it could be read as more than one. */
function word(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value)
}

function count(text: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new InvalidArgumentError('It must be a number of lines.')
  return Number(text)
}
