import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type DemoFolder, type DemoProcess, demoFolder, passwordIn, startDemo } from '../support/demo-under-test.ts'
import { until } from '../support/gateway-under-test.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'
import { startUpstream } from '../support/upstreams.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Where pictures of the pages go, for people to look at; undefined: nowhere. */
const pictures = process.env.AUDGATE_PICTURES

describe('the demo’s servers at hosts of their own, in Chromium', () => {
  let folder: DemoFolder
  let demo: DemoProcess
  let text: string
  let chromium: StartedChromium
  let page: Page
  const at = (name: string) => `http://${name}.localhost:${folder.port}/`

  before(async () => {
    folder = await demoFolder()
    demo = startDemo(folder)
    text = await demo.ready()
    chromium = await startChromium()
    page = await chromium.context.newPage()
  })
  after(async () => {
    await chromium.close()
    await demo.interrupt()
    folder.remove()
  })

  async function signIn(username: string): Promise<void> {
    await page.getByLabel('Username').fill(username)
    await page.getByLabel('Password').fill(passwordIn(text, username))
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  /** Nothing for axe to find, and nothing to scroll sideways for, light and dark, on a phone and on a screen. */
  async function isSound(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [360, 1_280]) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await page.setViewportSize({ width, height: 740 })
        const path = `${pictures}/${name}-${colorScheme}-${width}.png`
        if (pictures !== undefined) await page.screenshot({ path, fullPage: true })
        assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${name} at ${width}`)
        await page.evaluate(axe)
        const found = await page.evaluate(
          `axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`,
        )
        assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width}`)
      }
  }

  it('alice opens the photos, signs in once, and then the files without a password', async () => {
    await page.goto(at('photos'))
    await signIn('alice')
    await page.waitForURL(at('photos'))
    await page.getByText('I was told that you are alice').waitFor()
    await isSound('photos')
    await page.goto(at('files'))
    assert.equal(page.url(), at('files'))
    await page.getByText('I was told that you are alice').waitFor()
    await isSound('files')
  })

  it('the photos’ cookie opens nothing of the files, for a script of the photos’ page neither', async () => {
    await page.goto(at('photos'))
    const heard = await page.evaluate(
      `fetch('${at('files')}', { credentials: 'include' }).then(() => 'read', () => 'kept')`,
    )
    assert.equal(heard, 'kept')
  })

  /** Plays the page's film from its third second on. Answers its length in seconds. */
  const play = (on: Page) =>
    on.evaluate<number>(`(async () => {
      const video = document.querySelector('video')
      video.muted = true
      await new Promise((resolve, reject) => {
        const fail = () => reject(new Error(video.error.message))
        if (video.error !== null) fail()
        video.onseeked = resolve
        video.onerror = fail
        if (video.readyState > 0) video.currentTime = 3
        else video.onloadedmetadata = () => { video.currentTime = 3 }
      })
      await video.play()
      await new Promise((resolve) => { video.ontimeupdate = () => video.currentTime > 3.5 && resolve() })
      return video.duration
    })()`)
  /** Statuses that the gateway answered requests for the film with, by what they came with. */
  const filmed = (credential: string) =>
    demo.stdout.split('\n').flatMap((line) => {
      const said = line.startsWith('{') ? JSON.parse(line) : {}
      return said.credential === credential && String(said.path).endsWith('/films/regatta') ? [said.status] : []
    })

  it('the film plays, part by part, on the photos’ page, and by a ticket where nobody is signed in', async () => {
    await page.goto(at('photos'))
    assert.ok(Math.abs((await play(page)) - 6) < 0.5)
    await until(() => filmed('session').includes(206), 'a part of it was asked for', 10_000)
    const { url, path_url: pathForm } = await page.evaluate<{ url: string; path_url: string }>(
      `fetch('/.audgate/tickets', { method: 'POST', body: '{"path": "/films/regatta"}' }).then((made) => made.json())`,
    )
    const player = await startUpstream((_request, response) => response.setHeader('content-type', 'text/html').end())
    const guest = await startChromium()
    try {
      const other = await guest.context.newPage()
      await other.goto(url)
      assert.ok(Math.abs((await play(other)) - 6) < 0.5)
      // In a player of somebody else's.
      await other.goto(player.url)
      await other.setContent(`<video src="${pathForm}"></video>`)
      assert.ok(Math.abs((await play(other)) - 6) < 0.5)
      assert.deepEqual(await guest.context.cookies(), [])
    } finally {
      await guest.close()
      await player.close()
    }
    await until(() => filmed('ticket').includes(206), 'a part of it was asked for by ticket', 10_000)
    assert.ok(!demo.stdout.includes(new URL(url).searchParams.get('audgate_ticket') ?? ''))
  })

  it('bob is told which group would do', async () => {
    await chromium.context.clearCookies()
    await page.goto(at('photos'))
    await signIn('bob')
    await page.getByRole('heading', { name: 'You don’t have access' }).waitFor()
    assert.match((await page.textContent('main')) ?? '', /photos/)
    await isSound('denied')
  })
})
