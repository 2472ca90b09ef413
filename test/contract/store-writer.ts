import { openPostgresStore } from '../../src/store/postgres.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { anAct } from './store-records.ts'

/**
 * A process of its own that works on the store at argv[2], a path or the options of a database: `consume` tries to consume
 * 200 codes and prints which it got; `acts` carries out acts, as many as argv[4] says or until it is killed, printing the number of
 * each when it is done.
 */
const [, , place = '', job = '', most = 'Infinity'] = process.argv
const store = place.startsWith('{')
  ? await openPostgresStore({ ...JSON.parse(place), now: Date.now })
  : await openSqliteStore(place)
if (job === 'consume') {
  const won: number[] = []
  for (let n = 0; n < 200; n++) if (await store.consumeModel('AuthorizationCode', `code-${n}`, 1)) won.push(n)
  console.log(JSON.stringify(won))
  await store.close()
}
if (job === 'acts') {
  for (let n = 0; n < Number(most); n++) {
    const entries = [1, 2, 3].map((part) => ({
      kind: 'jti' as const,
      key: `${process.pid}.${n}.${part}`,
      notBeforeMs: 1,
      expiresAt: 2_000_000_000,
    }))
    await store.act(anAct({ revocations: entries, audit: { event: 'act', detail: { n } } }))
    console.log(n)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await store.close()
}
