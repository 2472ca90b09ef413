import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { ConfigCheck } from '../../admin/dependencies.ts'
import type { Config } from '../../config/config.ts'

/** Of a text of 256 KiB on a slow machine it is a few seconds. */
const LONGEST_MS = 20_000

/** What {@link checkInThread} hands to its thread. */
export interface CheckTask {
  readonly text: string
  readonly inForce: Config
}

/**
 * Checks a text in a thread of its own: a large file is most of a second of pure computing, and requests don't wait for it. Rejects when it
 * takes too long. The secrets of the file in force stay here.
 */
export function checkInThread(text: string, inForce: Config): Promise<ConfigCheck> {
  const task: CheckTask = { text, inForce: { ...inForce, secrets: NO_SECRETS } }
  const worker = new Worker(new URL(`./check-worker${extname(import.meta.filename)}`, import.meta.url), {
    workerData: task,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  })
  return new Promise<ConfigCheck>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the check of a file took too long')), LONGEST_MS)
    late.unref()
    worker.once('message', resolve).once('error', reject)
    worker.once('exit', () => {
      clearTimeout(late)
      reject(new Error('the check of a file ended early'))
    })
  }).finally(() => worker.terminate())
}

const NO_SECRETS: Config['secrets'] = {
  secret: undefined,
  registrationToken: undefined,
  feedToken: undefined,
  storePassword: undefined,
  keyFile: undefined,
}
