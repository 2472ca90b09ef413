import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type Answered, type BrowserGateway, Jar, PAGE, startBrowserGateway } from '../support/browser-gateway.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

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
        await page.setViewportSize({ width: 1_200, height: 700 })
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
