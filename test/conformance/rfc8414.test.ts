import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import * as oauth from 'oauth4webapi'
import { type IssuerUnderTest, startIssuer } from '../support/issuer/issuer-under-test.ts'

let issuer: IssuerUnderTest

before(async () => {
  issuer = await startIssuer()
})
after(() => issuer.close())

const insecure = { [oauth.allowInsecureRequests]: true }

async function readDocument(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>
}

describe('RFC 8414 and OpenID Connect Discovery: metadata', () => {
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    it(`an independent client reads it as ${algorithm}`, async () => {
      const url = new URL(issuer.url)
      const response = await oauth.discoveryRequest(url, { algorithm, ...insecure })
      const server = await oauth.processDiscoveryResponse(url, response)
      assert.equal(server.issuer, issuer.url)
      assert.deepEqual(server.code_challenge_methods_supported, ['S256'])
      assert.deepEqual(server.response_types_supported, ['code'])
      assert.equal(server.authorization_response_iss_parameter_supported, true)
      assert.equal(server.registration_endpoint, undefined)
      assert.equal(server.grant_types_supported?.includes('implicit'), false)
      for (const scope of ['openid', 'photos:read', 'files:write']) {
        assert.ok(server.scopes_supported?.includes(scope), scope)
      }
      const endpoints = [
        'authorization',
        'token',
        'revocation',
        'introspection',
        'userinfo',
        'device_authorization',
      ] as const
      for (const name of endpoints) {
        assert.ok(String(server[`${name}_endpoint`]).startsWith(`${issuer.url}/oauth/`), name)
      }
    })
  }

  it('§3: names the issuer of routes.yaml, whatever Host and X-Forwarded-* say', async () => {
    const { request } = await import('node:http')
    const headers = { host: 'evil.example.com', 'x-forwarded-host': 'evil.example.com', 'x-forwarded-proto': 'https' }
    const text = await new Promise<string>((resolve, reject) => {
      request(`${issuer.url}/.well-known/oauth-authorization-server`, { headers }, (response) => {
        response.setEncoding('utf8')
        let body = ''
        response.on('data', (chunk: string) => {
          body += chunk
        })
        response.on('end', () => resolve(body))
      })
        .on('error', reject)
        .end()
    })
    assert.doesNotMatch(text, /evil/)
    assert.equal(JSON.parse(text).token_endpoint, `${issuer.url}/oauth/token`)
  })

  it('follows a reload of routes.yaml', async () => {
    const { resources } = issuer.settings()
    await issuer.reconfigure({ resources: resources.slice(0, 1) })
    const document = await readDocument(`${issuer.url}/.well-known/oauth-authorization-server`)
    assert.doesNotMatch(String(document.scopes_supported), /files:read/)
    await issuer.reconfigure({ resources })
  })

  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration', '/oauth/jwks']) {
    it(`${path} can be read by pages of any origin, and kept for a minute`, async () => {
      const headers = { origin: 'https://app.example.com' }
      const answer = await fetch(`${issuer.url}${path}`, { headers })
      assert.match(answer.headers.get('access-control-allow-origin') ?? '', /^(\*|https:\/\/app\.example\.com)$/)
      assert.equal(answer.headers.get('cache-control'), 'public, max-age=60')
      const preflight = await fetch(`${issuer.url}${path}`, {
        method: 'OPTIONS',
        headers: {
          ...headers,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'mcp-protocol-version',
        },
      })
      assert.equal(preflight.status, 204)
      assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /mcp-protocol-version/)
    })
  }

  for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/userinfo']) {
    it(`${path} answers preflights of any origin`, async () => {
      const answer = await fetch(`${issuer.url}${path}`, {
        method: 'OPTIONS',
        headers: {
          origin: 'https://app.example.com',
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization, dpop',
        },
      })
      assert.equal(answer.status, 204)
      assert.match(answer.headers.get('access-control-allow-methods') ?? '', /POST/)
      assert.match(answer.headers.get('access-control-allow-headers') ?? '', /dpop/)
    })
  }

  it('answers of the token endpoint can be read by pages of other origins, errors too', async () => {
    const answer = await fetch(`${issuer.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token' }),
      headers: { origin: 'https://app.example.com' },
    })
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.example.com')
    assert.equal(answer.headers.get('access-control-allow-credentials'), null)
  })

  it('the authorization endpoint takes no part in CORS', async () => {
    const answer = await fetch(`${issuer.url}/oauth/authorize?client_id=x`, {
      headers: { origin: 'https://app.example.com' },
      redirect: 'manual',
    })
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
  })

  it('§3.1: an issuer with a path is found where the path is inserted', async () => {
    const identifier = 'https://gate.example.com/tenant'
    const tenant = await startIssuer({ settings: { identifier, origin: 'https://gate.example.com' } })
    try {
      for (const kind of ['oauth-authorization-server', 'openid-configuration']) {
        const document = await readDocument(`${tenant.url}/.well-known/${kind}/tenant`)
        assert.equal(document.issuer, identifier)
        assert.equal(document.token_endpoint, 'https://gate.example.com/oauth/token')
      }
    } finally {
      await tenant.close()
    }
  })
})
