import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../../support/gateway-under-test.ts'
import { formWith, Person, post, redeem, type TokenAnswer } from '../../support/issuer/browser-less-person.ts'
import { freePorts } from '../../support/programs/free-ports.ts'
import type { Serving } from '../../support/serving.ts'
import { type SeveralInstances, startSeveralInstances } from '../../support/several-instances.ts'
import { look } from '../../support/split-audgate.ts'
import { type RealServer, startHaproxyBalancer, startNginxBalancer } from '../../support/upstreams-real.ts'

const AUDGATE = join(import.meta.dirname, '../../../src/cli/audgate.js')
const CLIENTS = [
  ['audgate-cli', 'native'],
  ['gallery', 'spa'],
  ['print-shop', 'spa', '--third-party'],
] as const
const CALLBACK = 'https://app.example.com/cb'

let several: SeveralInstances
let ports: readonly number[]
let a: Serving
let webSecret: string

before(async () => {
  several = await startSeveralInstances()
  ports = await freePorts(2)
  a = await several.start('a', { port: ports[0] ?? 0 })
  await several.start('b', { port: ports[1] ?? 0 })
  await several.addPerson('alice')
  for (const [id, type, ...more] of CLIENTS) {
    const redirect = type === 'native' ? [] : ['--redirect-uri', CALLBACK]
    await several.command(['client', 'add', id, '--type', type, ...redirect, ...more])
  }
  await several.addApp('app')
  const web = ['client', 'add', 'web', '--type', 'web', '--redirect-uri', CALLBACK, '--json']
  webSecret = JSON.parse(await several.command(web)).client_secret
  await several.stopBalancer()
})
after(() => several.close())

/** What a client does that is told to come back, or told nothing: it does the same again. */
async function patiently<T>(step: () => Promise<T>, isWhole: (result: T) => boolean): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    const result = await step().catch((error: unknown) => {
      if (tries > 100) throw error
      return undefined
    })
    if (result !== undefined && (isWhole(result) || tries > 100)) return result
    await delay(100)
  }
}

const isAnswer = ({ status }: { readonly status: number }): boolean => status < 500

interface Client {
  readonly id: string
  readonly redirectUri: string
  readonly secret?: string
}

/** Signs alice in for a client, from the authorization request on when a code was lost on the way. */
async function signedIn(person: Person, client: Client): Promise<TokenAnswer> {
  const asked = {
    clientId: client.id,
    redirectUri: client.redirectUri,
    scope: 'photos:read',
    resource: `${several.publicUrl}/photos`,
  }
  const proof = client.secret === undefined ? {} : { more: { client_secret: client.secret } }
  return patiently(
    async () => {
      const attempt = await patiently(
        () => person.authorize(asked),
        ({ code }) => code !== '',
      )
      return patiently(() => redeem(several.publicUrl, attempt, { ...asked, ...proof }), isAnswer)
    },
    ({ status }) => status === 200,
  )
}

async function canLook(token: string | undefined, said: string): Promise<void> {
  const answer = await patiently(
    () => look(several.publicUrl, token ?? ''),
    (found) => !/^50[0-9]/.test(found),
  )
  assert.equal(answer, said)
}

/** Everything that the README's first minutes do, by one person. */
async function story(turnOf: (step: string) => Promise<void>): Promise<void> {
  const { publicUrl } = several
  const person = new Person(publicUrl, 'alice')
  const revocation = `${publicUrl}/oauth/revoke`
  await turnOf('web')
  const credentials = { client_id: 'web', client_secret: webSecret }
  const web = await signedIn(person, { id: 'web', redirectUri: CALLBACK, secret: webSecret })
  await canLook(web.body.access_token, '200')
  await turnOf('spa')
  const spa = await signedIn(person, { id: 'gallery', redirectUri: CALLBACK })
  await canLook(spa.body.access_token, '200')
  await turnOf('third party')
  const shop = await signedIn(person, { id: 'print-shop', redirectUri: CALLBACK })
  await canLook(shop.body.access_token, '200')
  await turnOf('refresh')
  let token = spa.body.refresh_token
  for (let n = 0; n < 5; n += 1) {
    const again = { grant_type: 'refresh_token', refresh_token: token, client_id: 'gallery' }
    const { status, body } = await patiently(() => post(`${publicUrl}/oauth/token`, again), isAnswer)
    assert.equal(status, 200, JSON.stringify(body))
    token = body.refresh_token
    await canLook(body.access_token, '200')
  }
  await turnOf('device')
  await canLook(await deviceToken(person), '200')
  await turnOf('revocation')
  const revoked = await patiently(() => post(revocation, { token: web.body.refresh_token, ...credentials }), isAnswer)
  assert.equal(revoked.status, 200)
  await until(async () => (await look(publicUrl, web.body.access_token ?? '')) === '401 revoked', 'revoked', 10_000)
  await canLook(shop.body.access_token, '200')
}

/** `audgate token`: signs in by the device flow while the person approves. */
async function deviceToken(person: Person): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'audgate-device-'))
  const resource = `${several.publicUrl}/photos`
  const command = [AUDGATE, 'token', '--issuer', several.publicUrl, '--resource', resource, '--scope', 'photos:read']
  const child = spawn(process.execPath, command, { env: { ...process.env, XDG_CONFIG_HOME: folder } })
  try {
    const said: string[] = []
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()))
    const printed = text(child.stdout)
    const codeIn = () => /the code (\S+)/.exec(said.join(''))?.[1]
    await until(() => codeIn() !== undefined, 'the code is shown', 20_000)
    await patiently(
      async () => {
        const empty = await person.open('/oauth/device')
        const typed = await person.send(empty, formWith(empty, 'user_code'), { user_code: codeIn() ?? '' })
        return person.decide(typed, 'approve')
      },
      ({ status }) => status === 200,
    )
    const token = (await printed).trim()
    assert.notEqual(token, '', said.join(''))
    return token
  } finally {
    child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Start = (port: number, backends: readonly string[]) => Promise<RealServer>

const BALANCERS: readonly (readonly [string, Start, string])[] = [
  ['nginx', startNginxBalancer, 'spa'],
  ['HAProxy', startHaproxyBalancer, 'device'],
]

for (const [name, start, killedAt] of BALANCERS)
  describe(`two instances behind ${name} without affinity`, () => {
    let balancer: RealServer
    before(async () => {
      const port = Number(new URL(several.publicUrl).port)
      balancer = await start(
        port,
        ports.map((each) => `127.0.0.1:${each}`),
      )
    })
    after(() => balancer.close())

    it('run the whole story: CLI, web, SPA, third party by code and PKCE, refresh, device, revocation, while one is killed and comes back', async () => {
      let back: Promise<unknown> = Promise.resolve()
      const others = [story(async () => undefined)]
      await story(async (step) => {
        if (step !== killedAt) return
        a.signal('SIGKILL')
        back = delay(1_000)
          .then(() => several.start('a', { port: ports[0] ?? 0 }))
          .then((again) => {
            a = again
          })
      })
      await Promise.all([...others, back])
      await story(async () => undefined)
    })
  })
