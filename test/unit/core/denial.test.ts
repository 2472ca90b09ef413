import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { denialFacts, renderAnswer, wantsHtml } from '../../../src/core/answer.ts'
import { renderPage, SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH } from '../../../src/core/answer-page.ts'
import type { Reason } from '../../../src/core/denial.ts'
import { ANSWERS, challengeHeader, denial } from '../../../src/core/denial.ts'

const challenge = {
  resourceMetadata: 'https://gate.example.com/.well-known/oauth-protected-resource/photos',
  scope: ['a:b', 'c'],
}
const context = { requestId: 'r-1', wantsHtml: false, isHead: false, corsHeaders: [] }

function header(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name)
  return at === -1 ? undefined : headers[at + 1]
}

describe('the answers table', () => {
  const rows: readonly [Reason, string][] = [
    ['no_route', '404 undefined'],
    ['ambiguous_path', '400 undefined'],
    ['malformed_request', '400 undefined'],
    ['method_not_allowed', '405 undefined'],
    ['path_not_allowed', '403 undefined'],
    ['no_token', '401 undefined'],
    ['malformed_credential', '400 invalid_request'],
    ['audience_mismatch', '401 invalid_token'],
    ['issuer_mismatch', '401 invalid_token'],
    ['malformed_claim', '401 invalid_token'],
    ['identity_too_large', '403 undefined'],
    ['insufficient_scope', '403 insufficient_scope'],
    ['insufficient_authentication', '401 insufficient_user_authentication'],
    ['verifier_unavailable', '503 undefined'],
    ['upstream_refused', '502 undefined'],
    ['upstream_timeout', '504 undefined'],
    ['body_too_large', '413 undefined'],
    ['origin_not_allowed', '403 undefined'],
    ['destination_elsewhere', '502 undefined'],
    ['destination_not_allowed', '403 undefined'],
    ['headers_too_large', '431 undefined'],
    ['headers_timeout', '408 undefined'],
  ]
  for (const [reason, expected] of rows) {
    it(`${reason}: ${expected}`, () => {
      const denied = denial(reason, 'x')
      assert.equal(`${denied.status} ${denied.error}`, expected)
    })
  }
  it('gives every reason a title', () => {
    for (const reason of Object.keys(ANSWERS) as Reason[]) {
      assert.notEqual(JSON.parse(renderAnswer(denial(reason, 'x'), context).body).title, 'Error', reason)
    }
  })
})

describe('the challenge', () => {
  it('RFC 6750 §3.1: has no error code when no token was sent', () => {
    assert.equal(
      challengeHeader(denial('no_token', 'a token is needed', { challenge })),
      `Bearer resource_metadata="${challenge.resourceMetadata}", scope="a:b c"`,
    )
  })
  it('RFC 6750 §3: names error and description', () => {
    assert.equal(
      challengeHeader(denial('expired', 'it has expired', { challenge: { ...challenge, scope: [] } })),
      `Bearer resource_metadata="${challenge.resourceMetadata}", error="invalid_token", error_description="it has expired"`,
    )
  })
  it('RFC 9449 §7.1: is one for DPoP, with algs, when the request used DPoP', () => {
    assert.match(
      challengeHeader(denial('not_bound', 'x', { challenge }), 'DPoP') ?? '',
      /^DPoP resource_metadata=.*algs="ES256 /,
    )
  })
  it('stays one field of printable ASCII, whatever bytes come in', () => {
    const nasty = '"\\\r\nX-Admin: 1\u0000\u00fc", scope="all'
    const value = challengeHeader(denial('expired', nasty, { challenge: { resourceMetadata: nasty, scope: [] } })) ?? ''
    assert.match(value, /^[ -~]+$/)
    const [, metadata, description] =
      /^Bearer resource_metadata="((?:[^"\\]|\\.)*)", error="invalid_token", error_description="([^"\\]*)"$/.exec(
        value,
      ) ?? []
    assert.ok(metadata !== undefined && description !== undefined, value)
  })
  it('keeps a quote of any shape readable', () => {
    const { description } = denial('bad_app_password', 'a person’s own, “Bob”s', { challenge })
    assert.equal(description, "a person's own, 'Bob's")
  })
  it('is absent where the table has none', () => assert.equal(challengeHeader(denial('no_route', 'x')), undefined))
})

describe('an answer of the gateway', () => {
  it('RFC 9457: is a problem document with error, error_description, reason and request_id', () => {
    const answer = renderAnswer(denial('expired', 'the token has expired', { challenge }), context)
    assert.equal(header(answer.headers, 'content-type'), 'application/problem+json')
    assert.deepEqual(JSON.parse(answer.body), {
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: 'the token has expired',
      error: 'invalid_token',
      error_description: 'the token has expired',
      reason: 'expired',
      request_id: 'r-1',
    })
    assert.equal(header(answer.headers, 'content-length'), String(Buffer.byteLength(answer.body)))
  })
  it('carries Cache-Control: no-store, and Allow and Retry-After where they belong', () => {
    const refused = renderAnswer(denial('method_not_allowed', 'x', { allow: ['GET', 'HEAD'] }), context)
    assert.equal(header(refused.headers, 'allow'), 'GET, HEAD')
    const later = renderAnswer(denial('verifier_unavailable', 'x', { retryAfterSeconds: 1.5 }), context)
    assert.equal(header(later.headers, 'retry-after'), '2')
    for (const answer of [refused, later]) assert.equal(header(answer.headers, 'cache-control'), 'no-store')
  })
  it('has no body for HEAD, and the length that GET would have', () => {
    const denied = denial('no_route', 'x')
    const head = renderAnswer(denied, { ...context, isHead: true })
    assert.equal(head.body, '')
    assert.equal(header(head.headers, 'content-length'), String(renderAnswer(denied, context).body.length))
  })
  it('carries the CORS headers it is given', () => {
    const answer = renderAnswer(denial('no_route', 'x'), { ...context, corsHeaders: ['Vary', 'Origin'] })
    assert.equal(header(answer.headers, 'vary'), 'Origin')
  })
  it('is a small page for a page load, with nothing from elsewhere and no script', () => {
    const denied = denial('no_token', 'needs <b> & "more"', { challenge })
    const answer = renderAnswer(denied, { ...context, requestId: '<script>', wantsHtml: true })
    assert.equal(header(answer.headers, 'content-type'), 'text/html; charset=utf-8')
    assert.equal(header(answer.headers, 'content-length'), String(Buffer.byteLength(answer.body)))
    assert.ok(answer.body.includes('needs &#60;b&#62; &#38;'))
    assert.ok(!/<script|https?:|src=|href=/.test(answer.body))
    assert.match(header(answer.headers, 'content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/)
    assert.ok(header(answer.headers, 'www-authenticate')?.startsWith('Bearer '))
  })
  it('says who looks it up where, and no status where nothing was refused', () => {
    const facts = denialFacts(denial('bad_ticket', 'no ticket'), 'r/1', 'https://gate/admin/decisions?request=')
    assert.deepEqual(facts, [
      ['Why', 'no ticket'],
      ['Reason', 'bad_ticket'],
      ['Request', 'r/1', 'https://gate/admin/decisions?request=r%2F1'],
    ])
    const page = (status: number) => renderPage({ title: 'Sign out?', status, paragraphs: [], facts }).body
    assert.match(page(200), /<title>Sign out\?<\/title>/)
    assert.match(page(401), /<title>401 Sign out\?<\/title>/)
  })
  it('has a style that its own policy lets in', () => {
    assert.equal(STYLE_HASH, `sha256-${createHash('sha256').update(STYLE).digest('base64')}`)
    assert.equal(SCRIPT_HASH, `sha256-${createHash('sha256').update(SCRIPT).digest('base64')}`)
  })
})

// RFC 6750 §3.1: no code where no credential was sent on purpose; browsers send cookies by themselves.
const NOT_SENT: ReadonlySet<Reason> = new Set(['no_token', 'session_expired', 'no_session_for_resource'])

describe('dull outside, rich inside', () => {
  it('every bad token has the code of the RFC in its challenge, whatever was wrong with it', () => {
    for (const reason of Object.keys(ANSWERS) as Reason[]) {
      if (ANSWERS[reason].status !== 401 || NOT_SENT.has(reason)) continue
      if (reason === 'insufficient_authentication') continue
      const value = challengeHeader(denial(reason, 'x', { challenge })) ?? ''
      assert.match(value, /error="invalid_token"/)
      assert.ok(!value.includes(reason), reason)
    }
  })
})

describe('a page load', () => {
  const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  const cases: readonly [string, boolean, string, string[]][] = [
    ['is a navigation', true, 'GET', ['Sec-Fetch-Mode', 'navigate', 'Accept', browser]],
    ['is a form sent by a person', true, 'POST', ['Sec-Fetch-Mode', 'navigate']],
    ['is what an older browser asks for', true, 'GET', ['accept', browser]],
    ['is not a script fetching', false, 'GET', ['Sec-Fetch-Mode', 'cors', 'Accept', browser]],
    ['is not an image', false, 'GET', ['Sec-Fetch-Mode', 'no-cors', 'Accept', 'image/*']],
    ['is not curl', false, 'GET', ['Accept', '*/*']],
    ['is not a program that prefers JSON', false, 'GET', ['Accept', 'application/json, text/html;q=0.5']],
    ['is not one that refuses HTML', false, 'GET', ['Accept', 'text/html;q=0']],
    ['is never one with Authorization', false, 'GET', ['Sec-Fetch-Mode', 'navigate', 'Authorization', 'Bearer x']],
    ['is not a PUT of an older browser', false, 'PUT', ['Accept', browser]],
  ]
  for (const [title, expected, method, headers] of cases) {
    it(title, () => assert.equal(wantsHtml(method, headers), expected))
  }
})
