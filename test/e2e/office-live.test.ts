import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type OfficeUnderTest, startOffice } from '../support/issuer/office-under-test.ts'

const LIVE = '/admin/decisions/live'

describe('the Live page, and what leads to a decision', () => {
  let office: OfficeUnderTest
  let page: Page
  const complaints: string[] = []

  before(async () => {
    office = await startOffice()
    page = await office.chromium.context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await office.signIn(page, 'ada', LIVE)
  })
  after(() => office?.close())

  const isLive = () => page.locator('#live-state', { hasText: /^live$/ }).waitFor()
  const row = (text: string) => page.locator('#live-rows tr', { hasText: text })

  it('shows decisions as they are made, passes too, without breaking its policy; a path with markup and direction marks is text', async () => {
    await isLive()
    await fetch(`${office.origin}/photos/%3Cb%3Eliving%E2%80%AE`)
    await row('living').waitFor()
    assert.equal(await page.locator('#live-rows b').count(), 0)
    assert.doesNotMatch((await row('living').textContent()) ?? '', /\u202e/)
    assert.ok(await page.locator('#live-empty').isHidden())
    await fetch(`${office.origin}/.well-known/oauth-protected-resource/photos`)
    await row('/.well-known/oauth-protected-resource').waitFor()
    assert.deepEqual(complaints, [])
  })

  it('holds new rows back while it is paused, and says how many wait', async () => {
    await page.getByRole('button', { name: 'Pause' }).click()
    await fetch(`${office.origin}/photos/held-back`)
    await page.locator('#live-waiting', { hasText: /\d+ waiting/ }).waitFor()
    assert.equal(await row('held-back').count(), 0)
    await page.getByRole('button', { name: 'Go on' }).click()
    await row('held-back').waitFor()
  })

  it('has the filter in its address', async () => {
    await page.goto(`${office.origin}${LIVE}?reason=malformed_token`)
    await isLive()
    await fetch(`${office.origin}/photos/without-token`)
    await fetch(`${office.origin}/photos/odd-token`, { headers: { authorization: 'Bearer nonsense' } })
    await row('odd-token').waitFor()
    assert.equal(await row('without-token').count(), 0)
    assert.equal(await page.inputValue('#f-reason'), 'malformed_token')
  })

  it('its stream wants the ticket that stands in the page: one use, this session; without it 403', async () => {
    const stream = (await page.getAttribute('#live', 'data-stream')) ?? ''
    const cookie = (await office.chromium.context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    const ask = async (path: string, headers: Record<string, string>) =>
      (await fetch(`${office.origin}${path}`, { headers, redirect: 'manual' })).status
    assert.equal(await ask(stream, { cookie }), 403, 'the page has used it')
    assert.equal(await ask(`${LIVE}/stream`, { cookie }), 403)
    const other = await office.chromium.context.newPage()
    const shell = await fetch(`${office.origin}${LIVE}`, { headers: { cookie } })
    const fresh = /data-stream="([^"]+)"/.exec(await shell.text())?.[1]?.replaceAll('&#38;', '&') ?? ''
    await other.close()
    assert.equal(await ask(fresh, {}), 403, 'nobody is signed in')
    assert.equal(await ask(fresh, { cookie, 'sec-fetch-site': 'cross-site' }), 403)
    const abort = new AbortController()
    const answer = await fetch(`${office.origin}${fresh}`, { headers: { cookie }, signal: abort.signal })
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/)
    abort.abort()
    assert.equal(await ask(fresh, { cookie }), 403, 'it was used')
  })

  it('says what is missing where no script runs, and shows the rows that there are', async () => {
    const plain = await office.chromium.context.browser()?.newContext({ javaScriptEnabled: false })
    const state = await office.chromium.context.storageState()
    await plain?.addCookies(state.cookies)
    const still = await plain?.newPage()
    await still?.goto(`${office.origin}${LIVE}`)
    assert.match((await still?.textContent('noscript, main')) ?? '', /load the page again/)
    assert.ok(((await still?.locator('#live-rows tr').count()) ?? 0) > 0)
    await plain?.close()
  })

  it('comes back by itself after the gateway was away', async () => {
    await page.goto(`${office.origin}${LIVE}`)
    await isLive()
    const first = await page.getAttribute('#live', 'data-stream')
    await page.evaluate("document.querySelector('#live').dataset.before = 'yes'")
    await office.restart()
    await page.locator('#live:not([data-before])').waitFor()
    await isLive()
    assert.notEqual(await page.getAttribute('#live', 'data-stream'), first)
  })

  it('a refusal page that a person sees links its request id to the page of the decision', async () => {
    const answer = await page.goto(`${office.origin}/photos/for-people`)
    assert.equal(answer?.status(), 401)
    const id = answer?.headers()['x-request-id'] ?? ''
    const link = page.getByRole('link', { name: id })
    assert.equal(await link.getAttribute('href'), `${office.origin}/admin/decisions/${id}`)
    await link.click()
    for (let tries = 0; tries < 40 && (await page.textContent('h1')) !== 'Why was this refused?'; tries += 1)
      await page.reload()
    assert.match((await page.textContent('main')) ?? '', /Checks.*credential.*What would help.*Would it pass now\?/s)
  })

  it('asks for a sign-in when what it may be shown has ended', async () => {
    await page.goto(`${office.origin}${LIVE}`)
    await isLive()
    const ended = await office.shell.run(['revoke', '--user', 'ada'])
    assert.equal(ended.code, 0, ended.stderr)
    await page.locator('input[name=password]').waitFor()
    assert.deepEqual(
      complaints.filter((text) => /Content Security Policy|Trusted/.test(text)),
      [],
    )
  })
})
