import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Document } from 'yaml'
import { jsonSchema } from '../../../src/config/load.ts'
import { problemsOf } from './files.ts'

type Json = Readonly<Record<string, unknown>>

interface Place {
  readonly path: readonly (string | number)[]
  readonly properties: readonly string[]
}

/** Every map with fixed keys that the schema describes, by its path in a file. */
function placesOf(schema: unknown, path: readonly (string | number)[] = []): Place[] {
  if (typeof schema !== 'object' || schema === null) return []
  const { properties, items, anyOf } = schema as Json
  const own = typeof properties === 'object' && properties !== null ? Object.entries(properties) : []
  return [
    ...(own.length === 0 ? [] : [{ path, properties: own.map(([key]) => key) }]),
    ...own.flatMap(([key, child]) => placesOf(child, [...path, key])),
    ...placesOf(items, [...path, 0]),
    ...(Array.isArray(anyOf) ? anyOf.flatMap((option) => placesOf(option, path)) : []),
  ]
}

/** A file that holds nothing but `value` at `path`. */
function fileWith(path: readonly (string | number)[], value: unknown): string {
  const nested = path.reduceRight<unknown>((inner, part) => (part === 0 ? [inner] : { [part]: inner }), value)
  return new Document(nested).toString()
}

/** What `check` says of unknown keys in a map at `path`. */
function unknownKeys(path: readonly (string | number)[], keys: Json): string[] {
  return problemsOf(fileWith(path, keys)).filter((problem) => problem.includes('unknown key'))
}

describe('JSON Schema of routes.yaml', () => {
  const places = placesOf(jsonSchema())

  it('is 2020-12 with a title', () => {
    assert.equal(jsonSchema().$schema, 'https://json-schema.org/draft/2020-12/schema')
    assert.equal(jsonSchema().title, 'audgate routes.yaml')
  })

  it('describes every map of the product page', () => {
    const names = places.map(({ path }) => path.filter((part) => part !== 0).join('.'))
    const wanted = [
      '',
      'tls',
      'issuer',
      'issuer',
      'trusted_issuers',
      'trusted_issuers.claims',
      'trusted_issuers.acr',
      'resources',
    ]
    wanted.push('resources.grants', 'routes', 'routes.rules', 'routes.cors', 'routes.timeouts', 'routes.upstream_tls')
    wanted.push('sessions', 'app_passwords', 'tickets', 'routes.public', 'store', 'shutdown', 'audit')
    wanted.push('admin', 'issuer.links', 'mail')
    wanted.push(
      'issuer.sign_in',
      'issuer.providers',
      ...['groups', 'username', 'allow', 'connect'].map((key) => `issuer.providers.${key}`),
    )
    assert.deepEqual(names.toSorted(), wanted.toSorted())
  })

  it('every key in it is accepted by `check`', () => {
    for (const { path, properties } of places) {
      assert.deepEqual(unknownKeys(path, Object.fromEntries(properties.map((key) => [key, 'x']))), [], String(path))
    }
  })

  it('every key that `check` accepts is in it: a map with only unknown keys lists all known ones', () => {
    for (const { path, properties } of places) {
      // `upstream` is what tells the two forms of `issuer` apart.
      const base = path[0] === 'issuer' && properties.includes('upstream') ? { upstream: 'http://a' } : {}
      const [problem] = unknownKeys(path, { ...base, zzzzzzzzzzzzzzzz: 1 })
      assert.equal(problem?.split('known here: ')[1], properties.join(', '), String(path))
    }
  })

  it('says of every key what it is for', () => {
    const undescribed: string[] = []
    const walk = (schema: unknown, path: string): void => {
      if (typeof schema !== 'object' || schema === null) return
      const { properties, items, anyOf } = schema as Json
      for (const [key, child] of Object.entries((properties as Json | undefined) ?? {})) {
        if (typeof (child as Json).description !== 'string') undescribed.push(`${path}.${key}`)
        walk(child, `${path}.${key}`)
      }
      walk(items, `${path}[]`)
      for (const option of Array.isArray(anyOf) ? anyOf : []) walk(option, path)
    }
    walk(jsonSchema(), '')
    assert.deepEqual(undescribed, [])
  })
})
