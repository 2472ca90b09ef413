import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

/** Draws scenes in a thread of its own, each once. */
interface Painter {
  /** The PNG of a scene by its id, `width` pixels wide. */
  paint(id: string, width: number): Promise<Buffer>
  close(): Promise<void>
}

interface Drawn {
  readonly id: string
  readonly width: number
  readonly png: Uint8Array | undefined
}

/** The thread starts with the first drawing, and does not keep the process alive. */
export function createPainter(): Painter {
  const pictures = new Map<string, PromiseWithResolvers<Buffer>>()
  const workers: Worker[] = []
  const start = (): Worker => {
    const worker = new Worker(new URL(`./draw-worker${extname(import.meta.filename)}`, import.meta.url))
    workers.push(worker)
    worker.unref()
    worker.on('message', ({ id, width, png }: Drawn) => {
      const waiting = pictures.get(`${id} ${width}`)
      if (png === undefined) waiting?.reject(new Error(`no scene is called ${id}`))
      else waiting?.resolve(Buffer.from(png))
    })
    worker.on('error', (error) => {
      for (const waiting of pictures.values()) waiting.reject(error)
      pictures.clear()
      workers.length = 0
    })
    return worker
  }
  return {
    paint: (id, width) => {
      const known = pictures.get(`${id} ${width}`)
      if (known !== undefined) return known.promise
      const waiting = Promise.withResolvers<Buffer>()
      pictures.set(`${id} ${width}`, waiting)
      const worker = workers[0] ?? start()
      worker.postMessage({ id, width })
      return waiting.promise
    },
    close: async () => {
      await workers[0]?.terminate()
    },
  }
}
