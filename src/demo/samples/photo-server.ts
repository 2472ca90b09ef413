import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Album, createAlbum, FILM, type Photo } from './album.ts'
import { sendStored } from './partial.ts'
import { clientPrefix, escapeHtml, identitySection, sendSamplePage, uploadForm, whoAmI } from './sample-page.ts'
import {
  Refusal,
  readBody,
  type SampleOptions,
  type SampleServer,
  sendJson,
  startSample,
  targetOf,
} from './sample-server.ts'

const MAX_UPLOAD_BYTES = 20 * 1024 * 1024

/**
 * A sample photo server that knows nothing of tokens: `GET /` the album as a page, `GET /api/photos` as JSON,
 * `GET /pictures/ID?w=320` a picture, `GET /films/ID` a film, `POST /api/photos?title=…` adds one, `DELETE /api/photos/ID`, `GET /whoami` the identity
 * headers that it received, `GET /healthz`.
 */
export async function startPhotoServer(options: SampleOptions): Promise<SampleServer> {
  const album = createAlbum()
  const server = await startSample((request, response) => answer(album, request, response), options)
  return {
    url: server.url,
    close: async () => {
      await server.close()
      await album.close()
    },
  }
}

async function answer(album: Album, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = targetOf(request)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const [, place = '', id = ''] = /^\/(pictures|films|api\/photos)\/([\w-]+)$/.exec(pathname) ?? []
  switch (`${method} ${place === '' ? pathname : `/${place}/ID`}`) {
    case 'GET /':
      return sendSamplePage(response, 'Photo library', pageBody(album, request))
    case 'GET /whoami':
      return sendJson(response, 200, whoAmI(request))
    case 'GET /healthz':
      return sendJson(response, 200, { status: 'ok' })
    case 'GET /api/photos':
      return sendJson(response, 200, { photos: album.photos().map((photo) => listed(photo, clientPrefix(request))) })
    case 'GET /pictures/ID':
      return sendStored(request, response, await album.picture(id, widthOf(searchParams)))
    case 'GET /films/ID':
      return sendStored(request, response, album.film(id))
    case 'POST /api/photos':
      return await add(album, request, response, searchParams.get('title') ?? 'Untitled')
    case 'DELETE /api/photos/ID':
      album.remove(id)
      response.writeHead(204).end()
      return
    default:
      throw new Refusal(404, 'there is nothing here; the photos are listed at /api/photos')
  }
}

async function add(album: Album, request: IncomingMessage, response: ServerResponse, title: string): Promise<void> {
  const bytes = await readBody(request, MAX_UPLOAD_BYTES)
  const photo = album.add(bytes, title.slice(0, 200), whoAmI(request).username)
  sendJson(response, 201, listed(photo, clientPrefix(request)))
}

function listed(photo: Photo, prefix: string): object {
  const url = `${prefix}/pictures/${photo.id}`
  return { ...photo, url, thumbnail: `${url}?w=320` }
}

/** Undefined where no width, or nothing like one, was asked for: the whole picture. */
function widthOf(query: URLSearchParams): number | undefined {
  const width = Number(query.get('w') ?? Number.NaN)
  return Number.isInteger(width) && width > 0 ? width : undefined
}

function pageBody(album: Album, request: IncomingMessage): string {
  const upload = uploadForm('Add a picture', 'POST', `${clientPrefix(request)}/api/photos?title=`)
  return albumSection(album, request) + filmSection(clientPrefix(request)) + upload + identitySection(whoAmI(request))
}

function albumSection(album: Album, request: IncomingMessage): string {
  const prefix = clientPrefix(request)
  const figures = album.photos().map(({ id, title, by }) => {
    const url = `${prefix}/pictures/${id}`
    const caption = by === undefined ? title : `${title}, by ${by}`
    return `<figure><a href="${url}"><img src="${url}?w=320" alt="${escapeHtml(title)}" loading="lazy"></a><figcaption>${escapeHtml(caption)}</figcaption></figure>`
  })
  return `<section aria-labelledby="album"><h2 id="album">Album</h2><div class="album">${figures.join('')}</div></section>`
}

function filmSection(prefix: string): string {
  const video = `<video controls muted playsinline preload="metadata" poster="${prefix}/pictures/${FILM.id}?w=640" src="${prefix}/films/${FILM.id}" aria-label="${FILM.title}"></video>`
  return `<section aria-labelledby="film"><h2 id="film">Film</h2><figure>${video}<figcaption>${FILM.title}</figcaption></figure></section>`
}
