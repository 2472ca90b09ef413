import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Denial, denial, type Reason } from '../../../src/core/denial.ts'
import type { RequestKind } from '../../../src/core/request-kind.ts'
import { answerRow, type SignInTerms, signInStep } from '../../../src/core/sign-in-answer.ts'

const SIGN_IN = 'https://photos.example.com/.audgate/sign-in?return_to=%2Fa'
const challenge = {
  resourceMetadata: 'https://gate.example.com/.well-known/oauth-protected-resource/photos',
  scope: [],
}
const NO_TOKEN = denial('no_token', 'send one', { challenge })
const context = { requestId: 'r-1', wantsHtml: false, isHead: false, corsHeaders: [] }
const KINDS: readonly RequestKind[] = [
  ...(['prefetch', 'socket', 'drive', 'page', 'frame', 'form', 'document', 'script', 'program'] as const),
]

function termsOf(change: Partial<SignInTerms> = {}): SignInTerms {
  return {
    ...{ kind: 'page', credentials: ['token', 'session', 'app_password'], realm: 'Photo library', signIn: SIGN_IN },
    ...{ shown: 'nothing', isYoung: false, namesHtml: false },
    ...change,
  }
}

/** Status, type, schemes of the challenges, and body; `sign_in`: the browser is sent to the issuer. */
function answered(change: Partial<SignInTerms>, denied: Denial = NO_TOKEN) {
  const step = signInStep(denied, termsOf(change), context)
  if (step.kind === 'sign_in') return step.kind
  const { status, headers, body } = step.answer
  const valuesOf = (name: string) => headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)
  const schemes = valuesOf('WWW-Authenticate').map((field) => field.split(' ')[0])
  const [type = '', csp = ''] = [...valuesOf('Content-Type'), ...valuesOf('Content-Security-Policy')]
  return { status, isPage: type.startsWith('text/html'), schemes, body, csp, headers }
}

function answerOf(change: Partial<SignInTerms>, denied?: Denial) {
  const answer = answered(change, denied)
  return answer === 'sign_in' ? assert.fail('the browser is sent to the issuer') : answer
}

describe('the row of an answer', () => {
  it('is that of the kind, unless something came on purpose, signing in would not help, or no session is taken', () => {
    const credentials = ['token', 'session'] as const
    for (const kind of KINDS) {
      assert.equal(answerRow(NO_TOKEN, { kind, credentials, shown: 'nothing' }), kind)
      assert.equal(answerRow(NO_TOKEN, { kind, credentials, shown: 'sent' }), 'sent')
      assert.equal(answerRow(denial('ticket_mismatch', 'x'), { kind, credentials, shown: 'session' }), 'refused')
      const sessionless = answerRow(NO_TOKEN, { kind, credentials: ['token', 'ticket'], shown: 'nothing' })
      assert.equal(sessionless, kind === 'drive' ? 'drive' : 'sessionless')
    }
  })
})

describe('the answer when nothing counts', () => {
  it('only a page load is sent to the issuer, and not moments after a sign-in', () => {
    for (const kind of KINDS) assert.equal(answered({ kind }) === 'sign_in', kind === 'page', kind)
    const refused = answerOf({ isYoung: true, shown: 'session' }, denial('revoked', 'the group is lost', { challenge }))
    assert.deepEqual([refused.status, refused.isPage, refused.schemes], [403, true, []])
    assert.match(refused.body, /the group is lost[\s\S]*revoked/)
  })
  it('a page load that a better sign-in would open is sent round at any time', () => {
    const signIn = { acrValues: ['mfa'], maxAge: undefined }
    const weak = denial('insufficient_authentication', 'a better one', { challenge: { ...challenge, signIn } })
    const terms = { kind: 'page', shown: 'session', isYoung: true } as const
    assert.equal(answered(terms, weak), 'sign_in')
  })
  it('so is one for a resource that a session, however young, was not signed in for', () => {
    const other = denial('no_session_for_resource', 'not for this resource', { challenge })
    for (const isYoung of [true, false])
      assert.equal(answered({ kind: 'page', shown: 'session', isYoung }, other), 'sign_in')
  })
  it('what a session may not do is a page where a person looks, a problem document elsewhere', () => {
    const pages: readonly RequestKind[] = ['page', 'frame', 'form', 'document']
    for (const reason of ['insufficient_scope', 'cross_origin_request'] as const)
      for (const kind of KINDS) {
        const { status, isPage } = answerOf({ kind, shown: 'session' }, denial(reason, 'no', { challenge }))
        assert.deepEqual([status, isPage], [403, pages.includes(kind)], `${reason} ${kind}`)
      }
  })
  it('Basic is offered to drives alone, to programs behind Bearer, and never to a browser', () => {
    assert.deepEqual(answerOf({ kind: 'drive' }).schemes, ['Basic'])
    assert.deepEqual(answerOf({ kind: 'program' }).schemes, ['Bearer', 'Basic'])
    for (const kind of KINDS.filter((each) => !['drive', 'program', 'page'].includes(each)))
      assert.ok(!answerOf({ kind }).schemes.includes('Basic'), kind)
  })
  it('where tokens are not taken a program gets Basic alone; where app passwords are not, Bearer alone', () => {
    assert.deepEqual(answerOf({ kind: 'program', credentials: ['session', 'app_password'] }).schemes, ['Basic'])
    for (const kind of ['program', 'drive'] as const)
      assert.deepEqual(answerOf({ kind, credentials: ['token', 'session'] }).schemes, ['Bearer'])
  })
  it('a frame’s page alone may be framed, and its link leaves the frame', () => {
    const frame = answerOf({ kind: 'frame' })
    assert.match(frame.body, /target="_top"/)
    assert.ok(!frame.csp.includes('frame-ancestors'))
    for (const kind of ['form', 'document'] as const) assert.match(answerOf({ kind }).csp, /frame-ancestors 'none'/)
  })
  it('a document leads on by itself, a form does not', () => {
    assert.match(answerOf({ kind: 'document' }).body, /http-equiv="refresh"/)
    const form = answerOf({ kind: 'form' })
    assert.match(form.body, /was not delivered[\s\S]*target="_blank"/)
    assert.doesNotMatch(form.body, /http-equiv="refresh"/)
  })
  it('a page that asks somebody to sign in says nothing of tokens, and why a session ended', () => {
    for (const kind of ['frame', 'form', 'document'] as const) {
      assert.doesNotMatch(answerOf({ kind }).body, /<dt>Why/)
      const over = denial('session_expired', 'the session has ended', { challenge })
      assert.match(answerOf({ kind, shown: 'session' }, over).body, /<dt>Why<\/dt><dd>the session has ended/)
    }
  })
  it('a script learns where to sign in, from a problem document', () => {
    const { status, isPage, body } = answerOf({ kind: 'script', namesHtml: true })
    assert.deepEqual([status, isPage, JSON.parse(body).sign_in], [401, false, SIGN_IN])
  })
  it('no answer of these sets a cookie or leads away by a Location', () => {
    for (const kind of KINDS.filter((each) => each !== 'page'))
      for (const name of answerOf({ kind }).headers) assert.doesNotMatch(name, /^(?:set-cookie|location)$/i)
  })
})

describe('the answer to what was sent on purpose', () => {
  const bad = denial('malformed_token', 'this is no token', { challenge })
  it('keeps its status and reason for every kind, as a page where Accept names HTML, and is never a redirect', () => {
    for (const kind of KINDS)
      for (const namesHtml of [true, false]) {
        const { status, isPage, body } = answerOf({ kind, shown: 'sent', namesHtml }, bad)
        assert.deepEqual([status, isPage], [401, namesHtml])
        assert.match(body, /malformed_token/)
      }
  })
  it('its page says so where there were too many tries, and not that it is over', () => {
    const late = denial('too_many_attempts', 'wait', { challenge, retryAfterSeconds: 60 })
    const { status, body } = answerOf({ kind: 'page', shown: 'sent', namesHtml: true }, late)
    assert.equal(status, 429)
    assert.match(body, /too many tries/)
    assert.doesNotMatch(body, /was not let in/)
  })
  it('its page says what does not count: a link, a password, or something else', () => {
    const pageOf = (reason: Reason) =>
      answerOf({ kind: 'page', shown: 'sent', namesHtml: true }, denial(reason, 'no', { challenge })).body
    for (const reason of ['bad_ticket', 'ticket_expired', 'ticket_mismatch'] as const)
      assert.match(pageOf(reason), /link that you followed is over[\s\S]*<a class="go" href="https:\/\/photos/)
    assert.match(pageOf('bad_app_password'), /with an app password, which you make in your account/)
    assert.match(pageOf('malformed_token'), /was not let in/)
  })
  it('has the challenge of the row that would fit without it', () => {
    assert.deepEqual(answerOf({ kind: 'drive', shown: 'sent' }, bad).schemes, ['Basic'])
    assert.deepEqual(answerOf({ kind: 'page', shown: 'sent' }, bad).schemes, ['Bearer'])
  })
})
