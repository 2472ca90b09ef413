import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type OfficeUnderTest, startOffice } from '../support/issuer/office-under-test.ts'

describe('the operator’s pages where four workers carry the requests', () => {
  let office: OfficeUnderTest
  let page: Page
  before(async () => {
    office = await startOffice('workers: 4')
    page = await office.chromium.context.newPage()
    await office.signIn(page, 'ada', '/admin/decisions/live')
  })
  after(() => office?.close())

  it('the Live page shows what any worker decides', async () => {
    await page.locator('#live-state', { hasText: /^live$/ }).waitFor()
    for (let n = 0; n < 12; n += 1)
      await fetch(`${office.origin}/photos/worker-${n}`, { headers: { connection: 'close' } })
    for (let n = 0; n < 12; n += 1)
      await page
        .locator('#live-rows tr', { hasText: `worker-${n}` })
        .first()
        .waitFor()
  })

  it('the X-Request-Id of a refusal that any of four workers answered is found, its checks end with the reason that the client was told', async () => {
    const ids = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        const answer = await fetch(`${office.origin}/photos/found-${n}`, { headers: { connection: 'close' } })
        return answer.headers.get('x-request-id') ?? ''
      }),
    )
    for (const id of ids) {
      for (let tries = 0; tries < 40; tries += 1) {
        await page.goto(`${office.origin}/admin/decisions/${id}`)
        if ((await page.textContent('h1')) === 'Why was this refused?') break
      }
      assert.match((await page.textContent('.checks li:last-child')) ?? '', /credential/)
      assert.match((await page.textContent('.lead')) ?? '', /no_token/)
    }
  })
})
