import { it, type TestContext } from 'node:test'
import fc from 'fast-check'

/** A bounded property as a test. Its seed is printed; `FUZZ_SEED` runs one again, `FUZZ_RUNS` makes it longer. */
export function holds<Values extends [unknown, ...unknown[]]>(
  title: string,
  arbitraries: { [Key in keyof Values]: fc.Arbitrary<Values[Key]> },
  predicate: (...values: Values) => void,
  runs = 500,
): void {
  it(title, (t: TestContext) => {
    const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`seed ${seed}`)
    fc.assert(fc.property(...arbitraries, predicate), { seed, numRuns: Number(process.env.FUZZ_RUNS ?? runs) })
  })
}
