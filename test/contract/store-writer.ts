import { openSqliteStore } from '../../src/store/sqlite.ts'
import { anAct } from './store-records.ts'

/**
 * A process of its own that works on the store at argv[2]: `consume` tries to consume `code` and prints the answer; `acts`
 * carries out acts until it is killed, printing the id of each when it is done.
 */
const [, , path = '', job = ''] = process.argv
const store = await openSqliteStore(path)
if (job === 'consume') {
  const won: number[] = []
  for (let n = 0; n < 200; n++) if (await store.consumeModel('AuthorizationCode', `code-${n}`, 1)) won.push(n)
  console.log(JSON.stringify(won))
  await store.close()
}
if (job === 'acts') {
  for (let n = 0; ; n++) {
    const entries = [1, 2, 3].map((part) => ({
      kind: 'jti' as const,
      key: `${n}.${part}`,
      notBeforeMs: 1,
      expiresAt: 2_000_000_000,
    }))
    await store.act(anAct({ revocations: entries, audit: { event: 'act', detail: { n } } }))
    console.log(n)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
