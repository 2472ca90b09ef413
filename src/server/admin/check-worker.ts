import { parentPort, workerData } from 'node:worker_threads'
import type { CheckTask } from './check-thread.ts'
import { checkConfig } from './config-check.ts'

const { text, inForce }: CheckTask = workerData
parentPort?.postMessage(checkConfig(text, inForce))
