import { parentPort } from 'node:worker_threads'
import { drawScene } from './draw-scene.ts'
import { scenes } from './scenes.ts'

// Drawing takes a fifth of a second of pure computing; requests elsewhere in the process don't wait for it.
parentPort?.on('message', ({ id, width }: { id: string; width: number }) => {
  const scene = scenes.find((each) => each.id === id)
  parentPort?.postMessage({ id, width, png: scene === undefined ? undefined : drawScene(scene, width) })
})
