import { join, relative, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Closing } from '../server/closing.ts'
import type { ServerDependencies } from '../server/runtime.ts'
import { createServer, type Server } from '../server/server.ts'
import { bindFault, StartFault, startOrClose } from '../server/start-fault.ts'
import type { Store } from '../store/store.ts'
import { type DemoPlan, planDemo } from './plan.ts'
import { startDemoSite } from './samples/demo-site.ts'
import { startFileServer } from './samples/file-server.ts'
import { startPhotoServer } from './samples/photo-server.ts'
import { demoSecrets, writePrivately } from './secrets.ts'
import { seedDemo } from './seed.ts'
import { BACKUP_FILE, backupRequest, walkthrough } from './walkthrough.ts'

/** A server with the sample upstreams beside it; they end with it. */
export interface DemoServer extends Server {
  /** For the terminal, never for a log: it holds the sample people's passwords. */
  readonly walkthrough: string
}

/**
 * Starts the sample upstreams and the server, and seeds sample people and clients. Rejects with a StartFault, and leaves nothing
 * running, when something can't be had, or when the file would show the demo to other machines.
 * @param create Starts the server.
 */
export async function createDemoServer(
  config: Config,
  dependencies: ServerDependencies,
  create: typeof createServer = createServer,
): Promise<DemoServer> {
  const plan = planDemo(config)
  if (typeof plan === 'string') throw new StartFault(plan)
  return startOrClose((closing) =>
    start(config, plan, (seed) => create(config, { ...dependencies, seed }), dependencies.now, closing),
  )
}

async function start(
  config: Config,
  plan: DemoPlan,
  create: (seed: (store: Store) => Promise<void>) => Promise<Server>,
  now: () => number,
  closing: Closing,
): Promise<DemoServer> {
  await startSamples(plan, closing)
  const seeded: { text?: string } = {}
  const server = await create(async (store) => {
    seeded.text = await seed(config, plan, store, now())
  })
  const { text } = seeded
  if (text === undefined) {
    await server.close(0)
    throw new StartFault('--demo: needs the embedded issuer')
  }
  return {
    addresses: server.addresses,
    management: server.management,
    get config() {
      return server.config
    },
    store: server.store,
    reload: (next) => server.reload(next),
    drain: () => server.drain(),
    onLost: (listener) => server.onLost(listener),
    refusedFile: (problems) => server.refusedFile(problems),
    close: async (graceMs) => {
      await server.close(graceMs)
      await closing.run()
    },
    walkthrough: text,
  }
}

/** Where the file's routes expect them. */
async function startSamples(plan: DemoPlan, closing: Closing): Promise<void> {
  const { photos, files, site, origin: publicUrl } = plan
  const samples = [
    { route: 'photos', address: photos, start: () => startPhotoServer(photos) },
    { route: 'files', address: files, start: () => startFileServer(files) },
    { route: 'demo', address: site, start: () => startDemoSite({ ...site, publicUrl }) },
  ]
  for (const { route, address, start } of samples) {
    const sample = await start().catch((error: unknown) => {
      throw bindFault(`--demo: upstream of route ${route}`, address, error)
    })
    closing.add(() => sample.close())
  }
}

/** Answers the walk-through. */
async function seed(config: Config, plan: DemoPlan, store: Store, now: number): Promise<string> {
  const secrets = await demoSecrets(plan.folder)
  await writePrivately(join(plan.folder, BACKUP_FILE), backupRequest(plan, secrets['photo-backup']))
  const people = await seedDemo(store, plan, secrets, now)
  return walkthrough({ plan, people, folder: fromHere(plan.folder), file: fileFromHere(config.file) })
}

/** As a command that is pasted into this folder has to name it. */
function fromHere(path: string): string {
  const inside = relative('', path)
  return inside.startsWith('..') ? path : inside === '' ? '.' : inside
}

function fileFromHere(file: string): string | undefined {
  return resolve(file) === resolve('routes.yaml') ? undefined : fromHere(resolve(file))
}
