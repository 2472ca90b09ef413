import { crc32, deflateSync } from 'node:zlib'
import type { Colour, Ridge, Scene } from './scenes.ts'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** The scene as a PNG, two thirds as high as `width` (16 to 1600 pixels) is wide. The same bytes every time. */
export function drawScene(scene: Scene, width: number): Buffer {
  const height = Math.round((width * 2) / 3)
  const pixels = new Uint8Array(width * height * 3)
  const skylines = scene.ridges.map((ridge) => skyline(ridge, width))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) pixels.set(at(scene, skylines, x / width, y / height, width), (y * width + x) * 3)
  }
  return encodePng(pixels, width, height)
}

function at(scene: Scene, skylines: readonly Float64Array[], u: number, v: number, width: number): Colour {
  const { water } = scene
  if (water === undefined || v < water.from) return above(scene, skylines, u, v, width)
  const depth = (v - water.from) / (1 - water.from)
  const ripple = Math.sin(v * 900 * (1.1 - depth * 0.7) + Math.sin(u * 40 + v * 70) * 1.8)
  const seen = above(scene, skylines, u + ripple * 0.004 * (0.3 + depth), water.from - depth * water.from * 0.9, width)
  return mix(seen, water.tint, 0.32 + 0.3 * depth + 0.05 * ripple)
}

function above(scene: Scene, skylines: readonly Float64Array[], u: number, v: number, width: number): Colour {
  let colour = sky(scene, u, v)
  for (const [index, ridge] of scene.ridges.entries()) {
    const column = Math.min(width - 1, Math.max(0, Math.round(u * width)))
    const top = skylines[index]?.[column] ?? 1
    const mist = mix(ridge.colour, scene.sky[1], 0.45 * clamp((v - top) / 0.22))
    colour = mix(colour, mist, clamp((v - top) * width * 0.66 + 0.5))
  }
  return scene.sail === undefined ? colour : sail(scene.sail, scene.water?.from ?? 1, colour, u, v)
}

function sky({ sky: [top, bottom], light, stars }: Scene, u: number, v: number): Colour {
  const distance = Math.hypot((u - light.x) * 1.5, v - light.y)
  let colour = mix(top, bottom, clamp(v / 0.65) ** 1.3)
  if (stars === true) colour = mix(colour, [255, 255, 255], star(u, v) * (1 - v))
  colour = mix(colour, light.colour, 0.75 * Math.exp(-((distance / light.glow) ** 2) * 3))
  return mix(colour, light.colour, clamp((light.radius - distance) * 400))
}

/** A mainsail and a jib over a dark hull, its waterline a little below where the water begins. */
function sail(of: NonNullable<Scene['sail']>, waterline: number, under: Colour, u: number, v: number): Colour {
  const across = ((u - of.x) * 1.5) / of.height
  const up = (waterline - 0.012 - v) / of.height
  const hull = up > -0.02 && up < 0.07 && Math.abs(across - 0.05) < 0.34 + up * 1.2
  if (hull) return [52, 42, 44]
  if (up < 0.1 || up > 1) return under
  if (across > 0.02 && across < 0.42 * (1.06 - up)) return of.colour
  return across < -0.01 && across > -0.3 * (0.9 - up) ? mix(of.colour, [255, 255, 255], 0.45) : under
}

/** Where the ridge ends in the sky, for each column. */
function skyline(ridge: Ridge, width: number): Float64Array {
  return Float64Array.from({ length: width }, (_, x) => {
    const u = x / width
    const hills = ridge.base - ridge.swing * smoothNoise(u * ridge.hills, ridge.seed)
    return ridge.trees === undefined ? hills : hills - treeHeight(u * ridge.trees, ridge)
  })
}

/** Firs of differing height, some places left free. */
function treeHeight(place: number, { seed, trees = 1 }: Ridge): number {
  const size = random(Math.floor(place), seed + 500)
  if (size < 0.25) return 0
  const across = Math.abs(place - Math.floor(place) - 0.5) * 2
  const boughs = 1 - 0.12 * Math.abs(Math.sin(across * 16))
  return Math.max(0, 1 - across * 1.25) * boughs * size * (1.9 / trees)
}

/** Four octaves of value noise, 0 to 1. */
function smoothNoise(x: number, seed: number): number {
  let sum = 0
  for (let octave = 0; octave < 4; octave++) sum += valueAt(x * 2 ** octave, seed + octave) * 0.5 ** (octave + 1)
  return sum
}

function valueAt(x: number, seed: number): number {
  const cell = Math.floor(x)
  const t = x - cell
  const ease = t * t * (3 - 2 * t)
  return random(cell, seed) * (1 - ease) + random(cell + 1, seed) * ease
}

function star(u: number, v: number): number {
  const [column, row] = [Math.floor(u * 90), Math.floor(v * 60)]
  if (random(column * 61 + row, 7) < 0.93) return 0
  const size = Math.hypot(u * 90 - column - 0.5, v * 60 - row - 0.5)
  return clamp(1 - size * 5) * random(column + row * 97, 8)
}

/** 0 to 1, the same for the same numbers. */
function random(n: number, seed: number): number {
  const x = Math.sin(n * 127.1 + seed * 311.7) * 43_758.5453
  return x - Math.floor(x)
}

function mix(from: Colour, to: Colour, part: number): Colour {
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part, from[2] + (to[2] - from[2]) * part]
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x))
}

/** A PNG of 8-bit RGB pixels, three bytes each, row by row from the top (W3C PNG §11). */
function encodePng(pixels: Uint8Array, width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const data = deflateSync(filtered(pixels, width, height), { level: 6 })
  return Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))])
}

/** Each row as differences to the pixel above, which compresses gradients best (filter type 2, Up). */
function filtered(pixels: Uint8Array, width: number, height: number): Buffer {
  const rowBytes = width * 3
  const out = Buffer.alloc((rowBytes + 1) * height)
  for (let row = 0; row < height; row++) {
    const start = row * (rowBytes + 1)
    out[start] = 2
    for (let at = 0; at < rowBytes; at++) {
      const above = row === 0 ? 0 : (pixels[(row - 1) * rowBytes + at] ?? 0)
      out[start + 1 + at] = (pixels[row * rowBytes + at] ?? 0) - above
    }
  }
  return out
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length, 0)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}
