import { createLog } from '../../../src/observe/log.ts'

// Writes more lines than a pipe holds, as a worker would.
const [name = '', count = '0'] = process.argv.slice(2)
const log = createLog(() => undefined, true)
for (let i = 0; i < Number(count); i += 1) {
  log.info(name, { text: 'x'.repeat((i * 37) % 900) })
  if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
}
await log.flush()
