import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { pageHeaders } from '../../src/issuer/http/response.ts'
import { answerAsset } from '../../src/issuer/pages/assets.ts'
import { pageSamples } from '../support/issuer/page-samples.ts'
import { type StartedChromium, startChromium } from '../support/programs/chromium.ts'

interface AxeFinding {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
// Words with a hyphen in headings that stand on two lines.
const BROKEN_WORDS = `[...document.querySelectorAll('h1')].flatMap((heading) => {
  const walker = document.createTreeWalker(heading, NodeFilter.SHOW_TEXT)
  const broken = []
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode())
    for (const found of node.data.matchAll(/\\p{L}{1,8}-\\p{L}{1,8}/gu)) {
      const range = document.createRange()
      range.setStart(node, found.index)
      range.setEnd(node, found.index + found[0].length)
      if (range.getClientRects().length > 1) broken.push(found[0])
    }
  return broken
})`
let server: Server
let chromium: StartedChromium
let page: Page
const posted: string[] = []

before(async () => {
  server = servePages(posted)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  chromium = await startChromium()
  page = await chromium.context.newPage()
})

after(async () => {
  await chromium.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

describe('every page, in Chromium', () => {
  for (const name of Object.keys(pageSamples)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`${name}, ${colorScheme}: axe finds nothing, and a narrow phone needs no sideways scrolling`, async () => {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width: 320, height: 640 })
        const problems = await problemsDuring(page, () => page.goto(address(name)))
        assert.deepEqual(problems, [])
        assert.deepEqual(await axeFindings(page), [])
        assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'))
        assert.deepEqual(await page.evaluate(BROKEN_WORDS), [], 'a heading breaks inside of a word')
      })
    }

    it(`${name}: everything that can be pressed is 44 pixels high`, async () => {
      await page.goto(address(name))
      const low = await page.evaluate(
        `[...document.querySelectorAll('.button, .input, .scope label')]
          .filter((element) => element.getBoundingClientRect().height < 43.9)
          .map((element) => element.outerHTML)`,
      )
      assert.deepEqual(low, [])
    })
  }
})

describe('a new password', () => {
  it('is shown on demand, in both fields, and hidden again when it is sent; without script nothing offers it', async () => {
    await page.goto(address('new-password'))
    const fields = page.locator('input[autocomplete="new-password"]')
    const types = () => fields.evaluateAll((all) => all.map((each) => each.getAttribute('type')))
    await fields.first().fill('kitchen window giraffe')
    await page.getByRole('button', { name: 'Show password' }).click()
    assert.deepEqual(await types(), ['text', 'text'])
    assert.equal(await fields.first().inputValue(), 'kitchen window giraffe')
    await page.locator('form', { has: fields.first() }).dispatchEvent('submit')
    assert.deepEqual(await types(), ['password', 'password'])
    await page.goto(address('sign-in'))
    assert.equal(await page.getByRole('button', { name: 'Show password' }).count(), 0)
  })
})

describe('by keyboard', () => {
  it('a person signs in with Tab and Enter', async () => {
    await page.goto(address('sign-in'))
    await page.locator('input[name="username"]:focus').waitFor()
    await page.keyboard.type('alice')
    await page.keyboard.press('Tab')
    await page.keyboard.type('secret words')
    await Promise.all([page.waitForURL(/interaction/), page.keyboard.press('Enter')])
    assert.equal(posted.at(-1), 'csrf=anti-forgery&username=alice&password=secret+words')
  })

  it('Enter on a box of the consent page approves nothing; pressing the button does', async () => {
    await page.goto(address('consent'))
    await page.locator('input[value="files:write"]').focus()
    await Promise.all([page.waitForURL(/interaction/), page.keyboard.press('Enter')])
    assert.doesNotMatch(posted.at(-1) ?? '', /decision/)
    await page.goto(address('consent'))
    await page.locator('input[value="files:write"]').focus()
    for (const key of ['Space', 'Tab', 'Tab']) await page.keyboard.press(key)
    await Promise.all([page.waitForURL(/interaction/), page.keyboard.press('Enter')])
    assert.equal(posted.at(-1), 'csrf=anti-forgery&scope=photos%3Aread&scope=files%3Aread&decision=approve')
  })

  it('the focus is seen wherever it goes', async () => {
    await page.goto(address('account'))
    const seen = new Set<string>()
    for (let step = 0; step < 12; step++) {
      await page.keyboard.press('Tab')
      const focus: { what: string; outline: string } = await page.evaluate(
        `({ what: document.activeElement.outerHTML, outline: getComputedStyle(document.activeElement).outlineWidth })`,
      )
      seen.add(focus.what)
      if (!focus.what.startsWith('<body')) assert.equal(focus.outline, '3px', focus.what)
    }
    assert.ok(seen.size > 8)
  })
})

/** Serves the samples with the headers and assets that they have in truth; keeps what forms send. */
function servePages(bodies: string[]): Server {
  return createServer(async (request, response) => {
    const path = request.url ?? '/'
    if (request.method === 'POST') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      bodies.push(Buffer.concat(chunks).toString())
      response.writeHead(200, pageHeaders()).end(pageSamples.done)
      return
    }
    const asset = answerAsset(path, undefined)
    const sample = pageSamples[path.slice(1)]
    if (asset !== undefined) response.writeHead(asset.status, asset.headers).end(asset.body)
    else if (sample !== undefined) response.writeHead(200, pageHeaders({}, sample)).end(sample)
    else response.writeHead(404).end()
  })
}

function address(name: string): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`
}

/** What the browser complains about meanwhile: refusals by the content security policy, missing assets. */
async function problemsDuring(of: Page, act: () => Promise<unknown>): Promise<string[]> {
  const problems: string[] = []
  const onConsole = (message: { type(): string; text(): string }) => {
    if (message.type() === 'error') problems.push(message.text())
  }
  of.on('console', onConsole)
  await act()
  of.off('console', onConsole)
  return problems
}

/** Runs axe in the page by the debugger, which the policy against scripts does not hold. */
async function axeFindings(of: Page): Promise<string[]> {
  await of.evaluate(axeSource)
  const found: readonly AxeFinding[] = await of.evaluate('axe.run(document).then((result) => result.violations)')
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`)
}
