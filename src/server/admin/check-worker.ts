import { parentPort, workerData } from 'node:worker_threads'
import type { CheckTask } from './check-thread.ts'
import { checkConfig } from './config-check.ts'

// Checks a text of routes.yaml in a thread of its own: however long that takes, nobody waits for it.
const { text, inForce }: CheckTask = workerData
parentPort?.postMessage(checkConfig(text, inForce))
