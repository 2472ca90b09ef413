import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createPainter } from './painter.ts'
import { type StoredBytes, storedBytes } from './partial.ts'
import { Refusal } from './sample-server.ts'
import { scenes } from './scenes.ts'

/** A photo as it is listed. */
export interface Photo {
  readonly id: string
  readonly title: string
  readonly takenAt: string
  /** Undefined for an upload: its own size. */
  readonly width: number | undefined
  /** Who uploaded it; undefined for those that were there from the start. */
  readonly by: string | undefined
}

/** An album in memory; nothing outlives the process. */
export interface Album {
  photos(): readonly Photo[]
  /** The picture at about `width` pixels, whole for undefined; uploads always whole. Throws a 404 Refusal. */
  picture(id: string, width: number | undefined): Promise<StoredBytes>
  /** The one film, of six seconds. Throws a 404 Refusal. */
  film(id: string): StoredBytes
  /** Throws a Refusal for what is no PNG, JPEG, GIF or WebP (415), or when the album is full (507). */
  add(bytes: Buffer, title: string, by: string | undefined): Photo
  /** Throws a 404 Refusal. */
  remove(id: string): void
  close(): Promise<void>
}

const FULL_WIDTH = 1200
// The sizes that pictures are drawn in: a bound on what is kept.
const WIDTHS = [160, 320, 640, FULL_WIDTH]
const MAX_UPLOADS = 100
const FIRST_DAY = Date.UTC(2026, 0, 3, 8, 30)
const DAY_MS = 86_400_000
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n\x1a\n/, 'image/png'],
  [/^\xff\xd8\xff/, 'image/jpeg'],
  [/^GIF8[79]a/, 'image/gif'],
  [/^RIFF....WEBP/s, 'image/webp'],
]

/** The film of the album. */
export const FILM = { id: 'regatta', title: 'The slowest boat, in the evening' }

export function createAlbum(): Album {
  const painter = createPainter()
  const uploads = new Map<string, StoredBytes>()
  const film = storedBytes(readFileSync(new URL('./site/regatta.webm', import.meta.url)), 'video/webm', FIRST_DAY)
  const photos = new Map(scenes.map(({ id, title }, day) => [id, drawnPhoto(id, title, day)]))
  return {
    photos: () => [...photos.values()],
    picture: async (id, width) => {
      if (!photos.has(id)) throw new Refusal(404, 'there is no such photo')
      const upload = uploads.get(id)
      if (upload !== undefined) return upload
      const wanted = WIDTHS.find((each) => each >= (width ?? FULL_WIDTH)) ?? FULL_WIDTH
      return storedBytes(await painter.paint(id, wanted), 'image/png', FIRST_DAY)
    },
    film: (id) => {
      if (id !== FILM.id) throw new Refusal(404, 'there is no such film')
      return film
    },
    add: (bytes, title, by) => {
      const type = kindOf(bytes)
      if (uploads.size >= MAX_UPLOADS) throw new Refusal(507, `the album takes ${MAX_UPLOADS} uploads; delete some`)
      const photo = { id: randomUUID(), title, takenAt: new Date().toISOString(), width: undefined, by }
      photos.set(photo.id, photo)
      uploads.set(photo.id, storedBytes(bytes, type, Date.now()))
      return photo
    },
    remove: (id) => {
      if (!photos.delete(id)) throw new Refusal(404, 'there is no such photo')
      uploads.delete(id)
    },
    close: () => painter.close(),
  }
}

function drawnPhoto(id: string, title: string, day: number): Photo {
  return { id, title, takenAt: new Date(FIRST_DAY + day * 9 * DAY_MS).toISOString(), width: FULL_WIDTH, by: undefined }
}

function kindOf(bytes: Buffer): string {
  const head = bytes.toString('latin1', 0, 16)
  const kind = KINDS.find(([pattern]) => pattern.test(head))
  if (kind === undefined) throw new Refusal(415, 'send a PNG, JPEG, GIF or WebP picture')
  return kind[1]
}
