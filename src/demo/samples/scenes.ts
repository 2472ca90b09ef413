/** Red, green, blue; 0 to 255. */
export type Colour = readonly [number, number, number]

/** A ridge of hills. Heights in parts of the picture's height, from the top. */
export interface Ridge {
  readonly base: number
  readonly swing: number
  /** Hills across the picture. */
  readonly hills: number
  readonly seed: number
  readonly colour: Colour
  /** Trees that stand on it, across the picture. */
  readonly trees?: number
}

/** A landscape, drawn by draw-scene.ts at any size. */
export interface Scene {
  readonly id: string
  readonly title: string
  readonly sky: readonly [Colour, Colour]
  /** Sun or moon; places and radius in parts of the height, `x` in parts of the width. */
  readonly light: {
    readonly x: number
    readonly y: number
    readonly radius: number
    readonly colour: Colour
    readonly glow: number
  }
  readonly ridges: readonly Ridge[]
  /** Where water begins, in parts of the height; absent: dry land. */
  readonly water?: { readonly from: number; readonly tint: Colour }
  readonly stars?: boolean
  readonly sail?: { readonly x: number; readonly height: number; readonly colour: Colour }
}

export const scenes: readonly Scene[] = [
  {
    id: 'harbour',
    title: 'Harbour at dawn',
    sky: [
      [58, 84, 120],
      [250, 196, 150],
    ],
    light: { x: 0.68, y: 0.5, radius: 0.055, colour: [255, 238, 205], glow: 0.34 },
    ridges: [
      { base: 0.52, swing: 0.09, hills: 3, seed: 4, colour: [150, 128, 140] },
      { base: 0.58, swing: 0.07, hills: 5, seed: 9, colour: [86, 84, 108] },
    ],
    water: { from: 0.6, tint: [60, 84, 112] },
    sail: { x: 0.3, height: 0.2, colour: [250, 240, 226] },
  },
  {
    id: 'firs',
    title: 'Firs above the mist',
    sky: [
      [168, 196, 202],
      [236, 236, 222],
    ],
    light: { x: 0.25, y: 0.24, radius: 0.05, colour: [255, 252, 235], glow: 0.3 },
    ridges: [
      { base: 0.42, swing: 0.16, hills: 3, seed: 12, colour: [158, 182, 184], trees: 60 },
      { base: 0.6, swing: 0.16, hills: 4, seed: 21, colour: [96, 134, 132], trees: 48 },
      { base: 0.82, swing: 0.16, hills: 3, seed: 33, colour: [30, 72, 68], trees: 26 },
    ],
  },
  {
    id: 'night-ferry',
    title: 'Waiting for the night ferry',
    sky: [
      [10, 16, 38],
      [52, 66, 104],
    ],
    light: { x: 0.72, y: 0.2, radius: 0.045, colour: [246, 240, 214], glow: 0.16 },
    ridges: [
      { base: 0.6, swing: 0.1, hills: 4, seed: 41, colour: [26, 34, 58] },
      { base: 0.65, swing: 0.05, hills: 7, seed: 46, colour: [14, 20, 38], trees: 40 },
    ],
    water: { from: 0.66, tint: [12, 20, 44] },
    stars: true,
  },
  {
    id: 'dunes',
    title: 'Dunes after the wind',
    sky: [
      [92, 148, 178],
      [246, 222, 184],
    ],
    light: { x: 0.82, y: 0.18, radius: 0.06, colour: [255, 248, 224], glow: 0.4 },
    ridges: [
      { base: 0.56, swing: 0.1, hills: 2, seed: 52, colour: [226, 184, 128] },
      { base: 0.7, swing: 0.18, hills: 2, seed: 57, colour: [205, 150, 92] },
      { base: 0.9, swing: 0.2, hills: 1, seed: 63, colour: [158, 102, 62] },
    ],
  },
  {
    id: 'first-snow',
    title: 'First snow',
    sky: [
      [148, 168, 192],
      [234, 224, 226],
    ],
    light: { x: 0.5, y: 0.36, radius: 0.07, colour: [255, 246, 236], glow: 0.3 },
    ridges: [
      { base: 0.4, swing: 0.22, hills: 3, seed: 71, colour: [196, 206, 220] },
      { base: 0.62, swing: 0.14, hills: 3, seed: 78, colour: [222, 228, 236], trees: 34 },
      { base: 0.84, swing: 0.1, hills: 2, seed: 84, colour: [244, 246, 250], trees: 12 },
    ],
  },
  {
    id: 'regatta',
    title: 'The slowest boat of the regatta',
    sky: [
      [70, 130, 170],
      [206, 226, 224],
    ],
    light: { x: 0.16, y: 0.2, radius: 0.05, colour: [255, 250, 230], glow: 0.3 },
    ridges: [{ base: 0.55, swing: 0.06, hills: 5, seed: 93, colour: [92, 132, 128], trees: 70 }],
    water: { from: 0.56, tint: [40, 100, 128] },
    sail: { x: 0.6, height: 0.34, colour: [226, 96, 60] },
  },
  {
    id: 'last-light',
    title: 'Last light on the ridge',
    sky: [
      [66, 44, 92],
      [250, 138, 92],
    ],
    light: { x: 0.42, y: 0.56, radius: 0.08, colour: [255, 214, 150], glow: 0.42 },
    ridges: [
      { base: 0.6, swing: 0.16, hills: 4, seed: 101, colour: [132, 70, 98] },
      { base: 0.74, swing: 0.14, hills: 3, seed: 108, colour: [82, 44, 78], trees: 36 },
      { base: 0.92, swing: 0.14, hills: 2, seed: 115, colour: [36, 22, 48], trees: 18 },
    ],
  },
  {
    id: 'reservoir',
    title: 'Reservoir, no wind',
    sky: [
      [120, 166, 160],
      [232, 236, 206],
    ],
    light: { x: 0.36, y: 0.3, radius: 0.05, colour: [255, 254, 236], glow: 0.28 },
    ridges: [
      { base: 0.46, swing: 0.18, hills: 3, seed: 122, colour: [124, 160, 140] },
      { base: 0.54, swing: 0.1, hills: 4, seed: 129, colour: [64, 108, 90], trees: 56 },
    ],
    water: { from: 0.56, tint: [70, 120, 112] },
  },
]
