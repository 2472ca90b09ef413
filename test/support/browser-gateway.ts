import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPasswords } from '../../src/issuer/people/passwords.ts'
import { createRevocationActs, type RevocationActs } from '../../src/issuer/revocation-acts.ts'
import type { Store } from '../../src/store/store.ts'
import { startGateway, type TestGateway } from './gateway-under-test.ts'
import { formWith } from './issuer/browser-less-person.ts'
import { freePorts } from './programs/free-ports.ts'

export const ALICE = { username: 'alice', password: 'correct horse battery staple' }
export const BOB = { username: 'bob', password: 'another horse battery staple' }
export const PHOTOS_HOST = 'photos.localhost'
const FILES_HOST = 'files.localhost'

/** What an upstream got. */
export interface Arrived {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface BrowserGateway {
  readonly gateway: TestGateway
  readonly store: Store
  readonly acts: RevocationActs
  readonly port: number
  readonly publicUrl: string
  readonly photos: string
  readonly files: string
  /** Every request that got through, to either upstream. */
  readonly arrived: Arrived[]
  /** `sub` by user name. */
  readonly people: Readonly<Record<string, string>>
  close(): Promise<void>
}

interface BrowserGatewayOptions {
  /** Further lines of the photos route. */
  readonly photos?: string
  readonly settings?: string
  readonly credentials?: string
  /** Further keys of the photos resource, in flow style, with a comma behind. */
  readonly photosResource?: string
  readonly issuer?: string
  readonly now?: () => number
  /** Answers in the upstream's stead; undefined: the usual echo. */
  readonly answer?: (arrived: Arrived) => UpstreamAnswer | undefined | Promise<UpstreamAnswer | undefined>
  /** Listens where an earlier one did; undefined: anywhere. */
  readonly port?: number
}

export interface UpstreamAnswer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

/** The file of {@link startBrowserGateway}. */
export function browserYaml(port: number, upstream: string, options: BrowserGatewayOptions = {}): string {
  const url = `http://localhost:${port}`
  const credentials = options.credentials ?? '[session, token, app_password, ticket]'
  const route = (id: string, host: string, more: string): string => `
  - id: ${id}
    host: ${host}
    resource: ${url}/${id}
    upstream: ${upstream}
    credentials: ${credentials}
    rules:
      - { methods: [read], scopes: ["${id}:read"] }
      - { methods: [write], scopes: ["${id}:write"] }
    public: [/public/**]
    ${more}`
  return `
public_url: ${url}
listen: 127.0.0.1:${port}
issuer: { access_token_ttl: 5m${options.issuer ?? ''} }
${options.settings ?? ''}
resources:
  - { id: "${url}/photos", name: Photo library, ${options.photosResource ?? ''} scopes: { "photos:read": See, "photos:write": Change }, grants: [{ groups: [photos], scopes: ["photos:read", "photos:write"] }] }
  - { id: "${url}/files", name: File store, scopes: { "files:read": See, "files:write": Change }, grants: [{ groups: [files], scopes: ["files:read", "files:write"] }] }
routes:${route('photos', PHOTOS_HOST, options.photos ?? '')}${route('files', FILES_HOST, '')}
`
}

/** A gateway with its issuer on loopback: alice may have photos and files, bob files. */
export async function startBrowserGateway(options: BrowserGatewayOptions = {}): Promise<BrowserGateway> {
  const arrived: Arrived[] = []
  const upstream = await startUpstream(arrived, options.answer)
  const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port]
  const gateway = await startGateway({
    yaml: browserYaml(port, `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, options),
    ...(options.now === undefined ? {} : { now: options.now }),
  })
  const { store } = gateway.server
  if (store === undefined) throw new Error('no issuer')
  const people = await addPeople(store)
  return {
    gateway,
    store,
    acts: createRevocationActs({ store, now: options.now ?? Date.now }),
    port,
    publicUrl: `http://localhost:${port}`,
    photos: `http://${PHOTOS_HOST}:${port}`,
    files: `http://${FILES_HOST}:${port}`,
    arrived,
    people,
    close: async () => {
      await gateway.close()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
    },
  }
}

/** Alice and bob, in a store; who is there already stays. */
export async function addPeople(store: Store): Promise<Readonly<Record<string, string>>> {
  const passwords = createPasswords()
  const people: Record<string, string> = {}
  for (const [{ username, password }, groups] of [
    [ALICE, ['photos', 'files']],
    [BOB, ['files']],
  ] as const) {
    const sub = `u_${username}`
    people[username] = sub
    if ((await store.userBySub(sub)) !== undefined) continue
    const common = { displayName: undefined, email: undefined, disabled: false, createdAt: 1 }
    await store.addUser({ sub, username, groups, passwordHash: await passwords.hash(password), ...common })
  }
  return people
}

async function startUpstream(arrived: Arrived[], answer: BrowserGatewayOptions['answer']): Promise<Server> {
  const server = createServer(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    const { method = '', url = '', headers } = incoming
    const got = { method, url, headers, body }
    arrived.push(got)
    const said = (await answer?.(got)) ?? {}
    response.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers })
    response.end(said.body ?? JSON.stringify(got))
  })
  server.on('upgrade', (incoming, socket) => {
    arrived.push({ method: 'UPGRADE', url: incoming.url ?? '', headers: incoming.headers, body: '' })
    socket
      .on('error', () => undefined)
      .on('end', () => socket.end())
      .resume()
    const key = `${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const accept = createHash('sha1').update(key).digest('base64')
    const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket']
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Values of all WWW-Authenticate fields. */
  readonly challenges: readonly string[]
  readonly setCookies: readonly string[]
  readonly location: string | undefined
  readonly text: string
  readonly url: string
}

interface Sending {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Fields of a page load, as browsers of today send them. */
export const PAGE = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
}

/** Fields of a script's request to its own origin. */
export const FETCH = {
  accept: '*/*',
  'sec-fetch-mode': 'cors',
  'sec-fetch-dest': 'empty',
  'sec-fetch-site': 'same-origin',
}

/** A browser without scripts: a jar of cookies for each host, all hosts on 127.0.0.1. Cookies of one path have it in their name. */
export class Jar {
  readonly cookies = new Map<string, Map<string, string>>()

  /** One request, nothing followed. */
  send(url: string, { method = 'GET', headers = {}, body }: Sending = {}): Promise<Answered> {
    const { hostname, port, host, pathname, search } = new URL(url)
    const kept = [...(this.cookies.get(hostname) ?? new Map<string, string>())]
      .filter(([name]) => pathname.startsWith(name.split('|')[1] ?? '/'))
      .map(([name, value]) => `${name.split('|')[0]}=${value}`)
      .join('; ')
    const sent = { host, ...(kept === '' ? {} : { cookie: kept }), ...headers }
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, method, path: pathname + search, headers: sent, agent: false })
      asked.on('response', async (response) => {
        let text = ''
        for await (const chunk of response.setEncoding('utf8')) text += chunk
        const setCookies = response.headers['set-cookie'] ?? []
        for (const line of setCookies) this.#keep(hostname, line)
        const challenges = response.headersDistinct['www-authenticate'] ?? []
        const { statusCode: status = 0, headers: answered } = response
        resolve({ status, headers: answered, challenges, setCookies, location: answered.location, text, url })
      })
      asked.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          challenges: [],
          setCookies: [],
          location: undefined,
          text: '',
          url,
        })
      })
      asked.on('error', (error) => reject(new Error(`${method} ${url}: ${error.message}`)))
      asked.end(body)
    })
  }

  /** A WebSocket of a page of the host, which the upstream leaves open. Rejects where it is refused. */
  socket(url: string): Promise<{ closed(): boolean; close(): void }> {
    const { hostname, port, host, pathname } = new URL(url)
    const cookie = `audgate_web=${this.cookies.get(hostname)?.get('audgate_web')}`
    const headers = { host, cookie, origin: new URL(url).origin, connection: 'Upgrade', upgrade: 'websocket' }
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path: pathname, headers, agent: false })
      asked.on('response', ({ statusCode }) => reject(new Error(`no socket: ${statusCode}`)))
      asked.on('upgrade', (_response, socket) => {
        socket.on('error', () => undefined).resume()
        resolve({ closed: () => socket.destroyed, close: () => socket.destroy() })
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  /** A page load, redirects and pages that lead on followed; forms are not sent. */
  async open(url: string, sending: Sending = {}): Promise<Answered> {
    let answer = await this.send(url, { ...sending, headers: { ...PAGE, ...sending.headers } })
    for (let hop = 0; hop < 12; hop += 1) {
      const next = answer.location ?? refreshOf(answer.text)
      if (next === undefined) return answer
      answer = await this.send(new URL(next, answer.url).href, { headers: PAGE })
    }
    throw new Error(`redirects without end from ${url}`)
  }

  /** Opens a page and types name and password where they are asked for; the page that it ends at. */
  async signIn(url: string, { username, password }: typeof ALICE = ALICE): Promise<Answered> {
    const page = await this.open(url)
    return /name="password"/.test(page.text) ? this.type(page, { username, password }) : page
  }

  /** Sends the sign-in form of a page. */
  type(page: Answered, fields: Readonly<Record<string, string>> = ALICE): Promise<Answered> {
    const form = formWith(page, 'password')
    const sent = new URLSearchParams(form.fields)
    for (const [name, value] of Object.entries(fields)) sent.set(name, value)
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      origin: new URL(page.url).origin,
      'sec-fetch-site': 'same-origin',
    }
    return this.open(new URL(form.action, page.url).href, { method: 'POST', headers, body: sent.toString() })
  }

  cookie(url: string, name: string): string | undefined {
    return this.cookies.get(new URL(url).hostname)?.get(name)
  }

  set(url: string, name: string, value: string): void {
    const { hostname } = new URL(url)
    this.cookies.set(hostname, (this.cookies.get(hostname) ?? new Map()).set(name, value))
  }

  #keep(hostname: string, line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const cut = pair.indexOf('=')
    const over = attributes.some((each) => /^max-age=0$/i.test(each)) || isPast(attributes)
    const jar = this.cookies.get(hostname) ?? new Map<string, string>()
    this.cookies.set(hostname, jar)
    const path = attributes.find((each) => /^path=/i.test(each))?.slice('path='.length) ?? '/'
    const key = path === '/' ? pair.slice(0, cut) : `${pair.slice(0, cut)}|${path}`
    if (over) jar.delete(key)
    else jar.set(key, pair.slice(cut + 1))
  }
}

function isPast(attributes: readonly string[]): boolean {
  const expires = attributes.find((each) => /^expires=/i.test(each))
  return expires !== undefined && Date.parse(expires.slice('expires='.length)) <= Date.now()
}

function refreshOf(text: string): string | undefined {
  const found = /<meta http-equiv="refresh" content="\d+; ?url=([^"]*)"/i.exec(text)?.[1]
  return found?.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))).replaceAll('&amp;', '&')
}

/** Basic credentials. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
