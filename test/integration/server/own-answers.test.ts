import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startBlackBox, within } from '../../support/issuer/served-issuer.ts'

const FORM = 'application/x-www-form-urlencoded'

describe('the log line of what the gateway answers itself', () => {
  for (const workers of [1, 2])
    it(`says how many bytes came and went, with ${workers} worker${workers === 1 ? '' : 's'}`, async () => {
      const box = await startBlackBox({ settings: `workers: ${workers}` })
      try {
        const body = new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: 'cli',
          refresh_token: 'x',
        }).toString()
        const asked: readonly (readonly [string, RequestInit, number])[] = [
          ['/.well-known/oauth-authorization-server', {}, 0],
          ['/.well-known/oauth-protected-resource/photos', {}, 0],
          ['/oauth/jwks', {}, 0],
          ['/oauth/assets/mark.svg', {}, 0],
          ['/account', {}, 0],
          ['/oauth/nothing', {}, 0],
          ['/oauth/jwks', { method: 'HEAD' }, 0],
          ['/oauth/token', { method: 'POST', body, headers: { 'content-type': FORM } }, body.length],
        ]
        for (const [path, init, came] of asked) {
          const seen = box.log().length
          const response = await fetch(`${box.url}${path}`, { redirect: 'manual', ...init })
          const went = (await response.arrayBuffer()).byteLength
          const line = () =>
            box
              .log()
              .slice(seen)
              .find((each) => each.msg === 'request' && each.path === path)
          await within(5_000, async () => (line() === undefined ? `no line of ${path}` : undefined))
          assert.deepEqual([line()?.bytes_in, line()?.bytes_out], [came, went], `${init.method ?? 'GET'} ${path}`)
          assert.ok(went > 0 || init.method === 'HEAD' || response.status === 303, path)
        }
      } finally {
        await box.close()
      }
    })
})
