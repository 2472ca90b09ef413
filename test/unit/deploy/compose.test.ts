import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import type { Config } from '../../../src/config/config.ts'
import { type Environment, interpolate } from '../../../src/config/interpolation.ts'
import { loadConfig } from '../../../src/config/load.ts'

const ROOT = join(import.meta.dirname, '../../..')

interface Service {
  readonly image?: string
  readonly build?: string
  readonly profiles?: readonly string[]
  readonly environment?: Environment
  readonly network_mode?: string
  readonly networks?: readonly string[]
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly configs?: readonly { readonly source: string }[]
  readonly depends_on?: Readonly<Record<string, unknown>>
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, unknown>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly configs: Readonly<Record<string, { readonly content: string }>>
}

const TEXT = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')
const compose: Compose = parse(TEXT, { merge: true })
const services = Object.entries(compose.services)
const gateways = services.filter(([, { build }]) => build !== undefined)

/** What the person who starts it has in the environment; the profile `scale` needs both. */
const OPERATOR = { AUDGATE_SECRET: 's'.repeat(64), AUDGATE_STORE_PASSWORD: 'p'.repeat(64) }

/** The variables of a service as compose fills them in, by the notation that routes.yaml has too. */
function environmentOf({ environment = {} }: Service, operator: Environment): Environment {
  const file = () => assert.fail('compose reads no files for values')
  return Object.fromEntries(
    Object.entries(environment).map(([name, text = '']) => {
      const filled = interpolate(text, { env: operator, file })
      assert.ok(filled.kind === 'plain' || filled.kind === 'filled', `${name} has no default`)
      return [name, filled.kind === 'filled' ? filled.text : text]
    }),
  )
}

function configOf(env: Environment): Config {
  const result = loadConfig(join(ROOT, 'routes.yaml'), env)
  assert.deepEqual(result.ok ? [] : result.problems, [])
  assert.ok(result.ok)
  return result.config
}

/** Names that services use; volumes without those that are paths. */
function used(): { readonly networks: Set<string>; readonly volumes: Set<string>; readonly configs: Set<string> } {
  const volumes = services.flatMap(([, service]) => (service.volumes ?? []).map((text) => text.split(':')[0] ?? ''))
  return {
    networks: new Set(services.flatMap(([, service]) => service.networks ?? [])),
    volumes: new Set(volumes.filter((name) => !name.startsWith('.'))),
    configs: new Set(services.flatMap(([, service]) => (service.configs ?? []).map(({ source }) => source))),
  }
}

describe('docker-compose.yml', () => {
  it('runs one gateway by itself, and two of one store in the profile `scale`', () => {
    const profiles = gateways.map(([name, service]) => [name, service.profiles ?? []])
    assert.deepEqual(profiles, [
      ['audgate', []],
      ['audgate-1', ['scale']],
      ['audgate-2', ['scale']],
    ])
  })

  for (const [name, service] of gateways) {
    it(`routes.yaml is good in the environment of ${name}, which reaches every server that it names`, () => {
      assert.ok(service.volumes?.includes('./routes.yaml:/etc/audgate/routes.yaml:ro'))
      const config = configOf(environmentOf(service, service.profiles === undefined ? {} : OPERATOR))
      assert.deepEqual(config.listen, { host: '0.0.0.0', port: 8080 })
      assert.deepEqual(config.management, { host: '0.0.0.0', port: 9090 })
      for (const { hostname } of config.routes.flatMap(({ upstreams }) => upstreams)) {
        const networks = compose.services[hostname]?.networks ?? []
        assert.ok(
          networks.some((network) => service.networks?.includes(network)),
          `${name} and ${hostname} share no network`,
        )
      }
    })
  }

  it('keeps the store of the one in its volume, and that of the two in PostgreSQL, reached by a socket', () => {
    const stores = gateways.map(([, service]) => configOf(environmentOf(service, OPERATOR)).store)
    const [single, ...shared] = stores
    assert.deepEqual(single, { kind: 'sqlite', path: '/data/audgate.db' })
    for (const store of shared) {
      assert.ok(store.kind === 'postgres')
      assert.deepEqual([store.user, store.database], ['audgate', 'audgate'])
      assert.deepEqual(store.hosts, [{ host: '/run/postgresql', port: 5432 }])
    }
  })

  it('lets browsers and drives in at hosts of their own, and follows another public address through the file', () => {
    const [, service] = gateways[0] ?? assert.fail()
    const hostsOf = (operator: Environment) =>
      configOf(environmentOf(service, operator))
        .routes.filter(({ credentials }) => credentials.includes('session') && credentials.includes('app_password'))
        .map(({ host }) => host)
    assert.deepEqual(hostsOf({}), ['photos.localhost', 'files.localhost'])
    const elsewhere = { AUDGATE_PUBLIC_URL: 'https://gate.example.com', AUDGATE_HOST: 'gate.example.com' }
    assert.deepEqual(hostsOf(elsewhere), ['photos.gate.example.com', 'files.gate.example.com'])
  })

  it('says every image, network, volume, config and service that it names, and no other', () => {
    for (const [name, { image, networks, network_mode, depends_on = {} }] of services) {
      assert.match(image ?? '', /^[a-z0-9./-]+(:[a-z0-9.-]+)?$/, name)
      assert.ok(networks !== undefined || network_mode === 'none', name)
      for (const other of Object.keys(depends_on)) assert.ok(other in compose.services, other)
    }
    const { networks, volumes, configs } = used()
    assert.deepEqual([...networks].sort(), Object.keys(compose.networks).sort())
    assert.deepEqual([...volumes].sort(), Object.keys(compose.volumes).sort())
    assert.deepEqual([...configs].sort(), Object.keys(compose.configs).sort())
  })

  it('publishes the gateway or its balancer alone, to this machine, and balances over every instance', () => {
    const published = services.filter(([, { ports }]) => ports !== undefined)
    assert.deepEqual(
      published.map(([name, { ports }]) => [name, ports]),
      [
        ['audgate', ['127.0.0.1:8080:8080']],
        ['balancer', ['127.0.0.1:8080:8080']],
      ],
    )
    const servers = [...(compose.configs.balancer?.content ?? '').matchAll(/^ *server \S+ (\S+)$/gm)]
    assert.deepEqual(
      servers.map(([, address]) => address),
      ['audgate-1:8080', 'audgate-2:8080'],
    )
  })
})

describe('routes.yaml by its defaults', () => {
  it('is what the demo needs: this machine alone, a store beside it, no management listener', () => {
    const { publicUrl, listen, management, store } = configOf({})
    assert.deepEqual([publicUrl, listen], ['http://localhost:8080', { host: 'localhost', port: 8080 }])
    assert.equal(management, undefined)
    assert.deepEqual(store, { kind: 'sqlite', path: join(ROOT, 'data/audgate.db') })
  })
})
