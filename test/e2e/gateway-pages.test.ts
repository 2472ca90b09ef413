import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import {
  type Answered,
  BOB,
  type BrowserGateway,
  basic,
  browserYaml,
  Jar,
  PAGE,
  startBrowserGateway,
} from '../support/browser-gateway.ts'
import { startGateway } from '../support/gateway-under-test.ts'
import { appPassword, ticketBy } from '../support/issuer/app-password.ts'
import { formWith } from '../support/issuer/browser-less-person.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'
import { freePorts } from '../support/programs/free-ports.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Where pictures of the pages go, for people to look at; undefined: nowhere. */
const pictures = process.env.AUDGATE_PICTURES

const OWN = { ...PAGE, 'sec-fetch-site': 'same-origin' }

/** Every page that the gateway itself shows to a person in a browser. */
const PAGES: Readonly<Record<string, (box: BrowserGateway, jar: Jar) => Promise<Answered>>> = {
  'a frame without a session': ({ photos }) =>
    new Jar().send(`${photos}/a`, { headers: { ...OWN, 'sec-fetch-dest': 'iframe' } }),
  'a form without a session': ({ photos }) =>
    new Jar().send(`${photos}/a`, { method: 'POST', headers: { ...OWN, origin: photos }, body: 'a=1' }),
  'a document without a session': ({ photos }) =>
    new Jar().send(`${photos}/a`, { headers: { ...OWN, 'sec-fetch-dest': 'empty' } }),
  'a bad token': ({ photos }) => new Jar().send(`${photos}/a`, { headers: { ...PAGE, authorization: 'Bearer x' } }),
  'a request of another site': ({ photos }, jar) =>
    jar.send(`${photos}/a`, { method: 'POST', headers: { ...PAGE, 'sec-fetch-site': 'cross-site' }, body: 'x' }),
  'a scope that is lacking': ({ photos }, jar) =>
    jar.send(`${photos}/a`, { method: 'POST', headers: { ...OWN, origin: photos }, body: 'x' }),
  'a session that has ended, before a form': ({ photos }) => {
    const stale = new Jar()
    stale.set(photos, 'audgate_web', 'A'.repeat(43))
    return stale.send(`${photos}/a`, { method: 'POST', headers: { ...OWN, origin: photos }, body: 'a=1' })
  },
  'a ticket that is none': ({ photos }) => new Jar().send(`${photos}/a?audgate_ticket=x`, { headers: PAGE }),
  'a ticket for something else': async (box) => {
    const { password } = await appPassword(box, 'photos', ['photos:read'])
    const { query_url: url } = await ticketBy(box, { path: '/a' }, password)
    return new Jar().send(url.replace('/a?', '/b?'), { headers: PAGE })
  },
  'a password of one’s own': ({ photos }) =>
    new Jar().send(`${photos}/a`, { headers: { ...PAGE, authorization: basic('alice', 'mine') } }),
  'two credentials': ({ photos }) =>
    new Jar().send(`${photos}/a?audgate_ticket=x`, { headers: { ...PAGE, authorization: 'Bearer x.y.z' } }),
  'too many wrong passwords': async ({ photos }) => {
    let answer: Answered | undefined
    for (let i = 0; i < 11; i += 1) {
      const authorization = basic('x', `agp_${String(i).padStart(43, 'A')}`)
      answer = await new Jar().send(`${photos}/a`, { headers: { ...PAGE, authorization } })
    }
    return answer ?? assert.fail()
  },
  'a group that was lost just now': async ({ photos, acts, people }) => {
    const jar = new Jar()
    await jar.signIn(`${photos}/`)
    await acts.changeGroups(people.alice ?? '', ['files'], 'test')
    const answer = await jar.send(`${photos}/`, { headers: PAGE })
    await acts.changeGroups(people.alice ?? '', ['photos', 'files'], 'test')
    return answer
  },
  'a person who may not': async ({ photos, publicUrl }) => {
    const jar = new Jar()
    const page = await jar.signIn(`${photos}/`, BOB)
    const { action, fields } = formWith(page, 'csrf')
    const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: publicUrl }
    const body = new URLSearchParams({ ...Object.fromEntries(fields), decision: 'deny' }).toString()
    return jar.open(new URL(action, page.url).href, { method: 'POST', headers, body })
  },
  'a browser that keeps no cookies': async ({ photos, files }) => {
    const jar = new Jar()
    await jar.signIn(`${files}/`)
    let answer = await jar.send(`${photos}/`, { headers: PAGE })
    for (let hop = 0; answer.location !== undefined && hop < 12; hop += 1) {
      jar.cookies.delete('photos.localhost')
      answer = await jar.send(new URL(answer.location, answer.url).href, { headers: PAGE })
    }
    return answer
  },
  'an issuer that is away': async () => {
    const [port = 0, nobody = 0] = await freePorts(2)
    const yaml = browserYaml(port, 'http://127.0.0.1:9').replace(
      /^issuer: .*$/m,
      `issuer: { upstream: "http://127.0.0.1:${nobody}" }`,
    )
    const alone = await startGateway({ yaml, env: { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' } })
    try {
      return await new Jar().send(`http://photos.localhost:${port}/`, { headers: PAGE })
    } finally {
      await alone.close()
    }
  },
  'a sign-in that did not work': ({ photos }) =>
    new Jar().send(`${photos}/.audgate/callback?state=x&code=y`, { headers: PAGE }),
  'the question whether to sign out': ({ photos }, jar) => jar.send(`${photos}/.audgate/sign-out`, { headers: PAGE }),
  'signed out': ({ photos }) =>
    new Jar().send(`${photos}/.audgate/sign-out`, { method: 'POST', headers: { ...OWN, origin: photos } }),
}

describe('pages of the gateway', () => {
  let box: BrowserGateway
  let chromium: StartedChromium
  let page: Page
  const jar = new Jar()

  before(async () => {
    box = await startBrowserGateway({ photosResource: 'session_scopes: ["photos:read"],' })
    await jar.signIn(`${box.photos}/`)
    chromium = await startChromium()
    page = await chromium.context.newPage()
  })
  after(async () => {
    await chromium.close()
    await box.close()
  })

  for (const [name, ask] of Object.entries(PAGES))
    it(`${name}: axe finds nothing, light and dark, and a narrow phone needs no sideways scrolling`, async () => {
      const { text, headers } = await ask(box, jar)
      assert.match(String(headers['content-type']), /^text\/html/)
      // As it is before it leads on.
      const html = text.replace(/<meta http-equiv="refresh"[^>]*>/, '').replace(/<script>[\s\S]*?<\/script>/, '')
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width: 1_280, height: 700 })
        await page.setContent(html)
        const path = `${pictures}/${name.replaceAll(' ', '-')}-${colorScheme}`
        if (pictures !== undefined) await page.screenshot({ path: `${path}-wide.png` })
        await page.evaluate(axe)
        const found = await page.evaluate<readonly unknown[]>(
          `axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`,
        )
        assert.deepEqual(found, [])
        await page.setViewportSize({ width: 320, height: 640 })
        if (pictures !== undefined) await page.screenshot({ path: `${path}-narrow.png` })
        assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'))
      }
    })
})
