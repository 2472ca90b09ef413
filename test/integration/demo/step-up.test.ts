import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../../src/config/load.ts'
import { decide } from '../../../src/core/decide.ts'
import { sealVerifiedToken } from '../../../src/core/token.ts'
import { target } from '../../unit/core/samples.ts'

describe('The demo', () => {
  it('asks for a fresh sign-in before a photo is deleted, and for none before one is added', () => {
    const result = loadConfig('routes.yaml', {})
    if (!result.ok) assert.fail(JSON.stringify(result.problems))
    const route = result.config.routes.find(({ id }) => id === 'photos')
    if (route === undefined) assert.fail('no route for photos')
    const ask = (method: string, age: number): string => {
      const token = sealVerifiedToken({
        issuer: result.config.publicUrl,
        embedded: true,
        subject: 'usr_1',
        clientId: 'album-web',
        audience: [`${result.config.publicUrl}/photos`],
        scope: new Set(['photos:read', 'photos:write']),
        expiresAt: 2_000,
        issuedAt: 900,
        jti: 'x',
        gid: 'g',
        username: 'alice',
        groups: ['photos'],
        jkt: undefined,
        claims: {},
        authTime: 1_000 - age,
      })
      const decision = decide(route, method, target('/photos/api/photos/1'), { kind: 'verified', token }, 1_000)
      return decision.kind === 'deny' ? decision.denial.reason : 'forward'
    }
    assert.deepEqual(
      [ask('DELETE', 60), ask('DELETE', 700), ask('POST', 700)],
      ['forward', 'insufficient_authentication', 'forward'],
    )
  })
})
