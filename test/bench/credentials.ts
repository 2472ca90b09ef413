import { writeFileSync } from 'node:fs'
import { decodeConfig } from '../../src/config/load.ts'
import { makeAppPassword } from '../../src/issuer/people/app-passwords.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { aClient } from '../contract/store-records.ts'
import { ALICE, addPeople, Jar, PHOTOS_HOST } from '../support/browser-gateway.ts'
import { Person, redeem } from '../support/issuer/browser-less-person.ts'
import { audgateCommand, freePort, LOAD_CORE, MEASURED_CORE } from './contestants.ts'
import { type Load, wrk } from './load.ts'
import { type Contestant, startPinned } from './processes.ts'
import { median, type Row } from './report.ts'

const SECRET = 'a secret of the bench that is long enough'
/** A person has at most 50 sessions. */
const EACH = 40
const APP = { clientId: 'bench', redirectUri: 'http://127.0.0.1:1/cb' }
const TERMS = { max: 86_400, unused: 86_400 }

interface Kind {
  readonly name: string
  readonly field: NonNullable<Load['field']>
  readonly values: readonly string[]
}

/** What a request costs by each kind of credential, on one route of the embedded issuer: known ones, in alternating rounds. */
export async function credentialCosts(
  folder: string,
  upstreamPort: number,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<readonly Row[]> {
  const port = await freePort()
  const file = `${folder}/credentials.yaml`
  const text = fileText(folder, port, upstreamPort)
  writeFileSync(file, text)
  const command = ['env', `AUDGATE_SECRET=${SECRET}`, ...audgateCommand(file)]
  const gateway = await startPinned(MEASURED_CORE, command, port)
  try {
    const kinds = await makeKinds(folder, port, text)
    const costs = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]))
    for (const kind of kinds) await round(gateway, kind, folder, port, 3)
    for (let i = 0; i < rounds; i += 1)
      for (const [kind, all] of costs) all.push(await round(gateway, kind, folder, port, seconds))
    const [bearer = 1] = [...costs.values()].map(median)
    return [...costs].flatMap(([{ name }, all]): Row[] => [
      { scenario: '1 KiB by kind of credential', name, unit: 'CPU µs/request', value: median(all) },
      {
        scenario: '1 KiB by kind of credential',
        name,
        unit: '% of a Bearer token',
        value: (100 * median(all)) / bearer,
      },
    ])
  } finally {
    await gateway.stop()
  }
}

function fileText(folder: string, port: number, upstreamPort: number): string {
  const url = `http://localhost:${port}`
  return `
public_url: ${url}
listen: 127.0.0.1:${port}
access_log: off
store: sqlite:${folder}/credentials.db
issuer: { access_token_ttl: 1h }
resources:
  - { id: "${url}/photos", name: Photos, scopes: { "photos:read": See }, grants: [{ groups: [photos], scopes: ["photos:read"] }] }
routes:
  - id: photos
    host: ${PHOTOS_HOST}
    resource: ${url}/photos
    upstream: http://127.0.0.1:${upstreamPort}
    credentials: [token, session, app_password]
    rules: [{ methods: [any], scopes: ["photos:read"] }]
`
}

async function makeKinds(folder: string, port: number, text: string): Promise<readonly Kind[]> {
  const store = await openSqliteStore(`${folder}/credentials.db`)
  try {
    await addPeople(store)
    await store.addClient(aClient({ id: APP.clientId, redirectUris: [APP.redirectUri] }))
    const decoded = decodeConfig(text, 'credentials.yaml', { AUDGATE_SECRET: SECRET })
    const user = await store.userBySub('u_alice')
    if (!decoded.ok || user === undefined) throw new Error('the file of the bench is none')
    const [resource] = decoded.config.resources
    if (resource === undefined) throw new Error('no resource')
    const many = <T>(make: () => Promise<T>) => series(EACH, make)
    const password = async () => {
      const asked = { user, resource, scopes: ['photos:read'], name: 'bench', life: undefined }
      const made = await makeAppPassword(store, asked, TERMS, Math.floor(Date.now() / 1_000))
      return made.kind === 'made' ? made.password : ''
    }
    const bearer = { name: 'Authorization', prefix: 'Bearer ' }
    const basic = { name: 'Authorization', prefix: 'Basic ' }
    const tokens = await tokensOf(`http://localhost:${port}`, resource.identifier)
    const passwords = await many(password)
    return [
      { name: 'Bearer token', field: bearer, values: tokens },
      { name: 'app password, Bearer', field: bearer, values: passwords },
      { name: 'app password, Basic', field: basic, values: passwords.map((each) => btoa(`any:${each}`)) },
      { name: 'session', field: { name: 'Cookie', prefix: 'theme=dark; audgate_web=' }, values: await sessions(port) },
    ]
  } finally {
    await store.close()
  }
}

async function tokensOf(issuer: string, resource: string): Promise<readonly string[]> {
  const alice = new Person(issuer, ALICE.username, ALICE.password)
  return series(EACH, async () => {
    const answer = await alice.authorize({ ...APP, scope: 'photos:read', resource })
    return (await redeem(issuer, answer, APP)).body.access_token ?? ''
  })
}

async function sessions(port: number): Promise<readonly string[]> {
  const url = `http://${PHOTOS_HOST}:${port}/1k`
  const jar = new Jar()
  return series(EACH, async () => {
    // Another browser each time, as the host sees it.
    jar.cookies.delete(PHOTOS_HOST)
    await jar.signIn(url)
    return jar.cookie(url, 'audgate_web') ?? ''
  })
}

async function series<T>(count: number, make: () => Promise<T>): Promise<readonly T[]> {
  const all: T[] = []
  for (let i = 0; i < count; i += 1) all.push(await make())
  return all
}

/** CPU µs per request. Throws when one is refused. */
async function round(gateway: Contestant, kind: Kind, folder: string, port: number, seconds: number): Promise<number> {
  const tokenFile = `${folder}/credentials.lines`
  writeFileSync(tokenFile, `${kind.values.join('\n')}\n`)
  const before = gateway.cpuMicros()
  const load = { url: `http://127.0.0.1:${port}/1k`, host: `${PHOTOS_HOST}:${port}`, field: kind.field, tokenFile }
  const result = await wrk(LOAD_CORE, folder, {
    ...{ ...load, seconds, connections: 32, once: false, method: 'GET', bodyBytes: 0 },
  })
  if (result.refused > 0) throw new Error(`${kind.name}: ${result.refused} of ${result.requests} refused`)
  return (gateway.cpuMicros() - before) / result.requests
}
