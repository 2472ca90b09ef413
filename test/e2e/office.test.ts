import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { type StartedChromium, startChromium } from '../support/chromium.ts'
import { type CommandLine, commandLine } from '../support/command-line.ts'
import { freePorts } from '../support/free-ports.ts'

const PASSWORD = 'a long password of ada'
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeFinding {
  readonly id: string
  readonly impact: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

const PATHS = [
  '/admin',
  '/admin/decisions',
  '/admin/try',
  '/admin/access',
  '/admin/routes',
  '/admin/routes/photos',
  '/admin/people',
  '/admin/people/new',
  '/admin/groups',
  '/admin/clients',
  '/admin/clients/new',
  '/admin/clients/photos-cli',
  '/admin/authorizations',
  '/admin/audit',
  '/admin/system',
]

let shell: CommandLine
let server: ChildProcess
let chromium: StartedChromium
let page: Page
let origin = ''
const shots = process.env.OFFICE_SHOTS

async function startServer(): Promise<void> {
  const [port = 0, management = 0] = await freePorts(2)
  origin = `http://localhost:${port}`
  shell = commandLine(`
public_url: ${origin}
listen: 127.0.0.1:${port}
management: 127.0.0.1:${management}
resources:
  - id: ${origin}/photos
    name: Photo library
    scopes: { "photos:read": See photos, "photos:write": Change photos }
    grants: [{ groups: [photos], scopes: ["photos:read", "photos:write"] }]
routes:
  - id: photos
    path: /photos
    resource: ${origin}/photos
    upstream: http://127.0.0.1:9
    rules: [{ methods: [read], scopes: ["photos:read"] }]
`)
  server = spawn(process.execPath, [`${import.meta.dirname}/../../src/cli/audgate.js`, 'serve'], {
    cwd: shell.folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let log = ''
  server.stdout?.on('data', (chunk) => (log += chunk))
  while (!log.includes('"listening"')) await Promise.race([once(server.stdout ?? server, 'data'), refuseToWait(server)])
  if (process.env.OFFICE_LOG) server.stdout?.pipe(process.stderr)
}

async function refuseToWait(child: ChildProcess): Promise<void> {
  const [code] = await once(child, 'exit')
  throw new Error(`the server ended with ${code}`)
}

async function invite(name: string, groups: string): Promise<void> {
  const invited = await shell.run(['user', 'invite', name, '--groups', groups, '--name', 'Ada Example', '--json'])
  assert.equal(invited.code, 0, invited.stderr)
  const link = new URL(JSON.parse(invited.stdout).url).searchParams.get('link') ?? ''
  const body = new URLSearchParams({ link, new_password: PASSWORD, repeat_password: PASSWORD })
  await fetch(`${origin}/account/link`, { method: 'POST', redirect: 'manual', body })
}

async function signIn(target: Page, username: string, path: string): Promise<void> {
  await target.goto(`${origin}${path}`)
  await target.fill('input[name=username]', username)
  await target.fill('input[name=password]', PASSWORD)
  await target.click('button[type=submit]')
  await target.waitForURL(`${origin}${path}`)
}

async function expectHeading(url: string, heading: string): Promise<void> {
  for (let tries = 0; tries < 40; tries += 1) {
    await page.goto(url)
    if ((await page.textContent('h1')) === heading) return
  }
  assert.equal(await page.textContent('h1'), heading)
}

async function findings(): Promise<readonly AxeFinding[]> {
  await page.evaluate(axeSource)
  const found: readonly AxeFinding[] = await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(({ violations }) => violations)`,
  )
  return found.filter(({ impact }) => impact === 'serious' || impact === 'critical')
}

before(async () => {
  await startServer()
  await invite('ada', 'admins,photos')
  await invite('carol', 'photos')
  const added = await shell.run([
    'client',
    'add',
    'photos-cli',
    '--type',
    'native',
    '--name',
    'Photos <b>on</b> a shell',
  ])
  assert.equal(added.code, 0, added.stderr)
  chromium = await startChromium()
  page = await chromium.context.newPage()
})

after(async () => {
  await chromium?.close()
  server.kill('SIGTERM')
  await once(server, 'exit')
  shell.close()
})

describe('the operator’s pages', () => {
  it('lead to the sign-in and back to the address with its filter', async () => {
    await signIn(page, 'ada', '/admin/decisions?outcome=refused&reason=no_token')
    assert.equal(page.url(), `${origin}/admin/decisions?outcome=refused&reason=no_token`)
    assert.equal(await page.inputValue('#f-reason'), 'no_token')
  })

  for (const path of PATHS) {
    it(`${path}: axe finds nothing serious in light and dark, narrow and wide; nothing breaks the policy`, async () => {
      const broken: string[] = []
      const listen = (message: { text(): string }): void => void broken.push(message.text())
      page.on('console', listen)
      for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [320, 1280]) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize({ width, height: 900 })
          const answer = await page.goto(`${origin}${path}`)
          assert.equal(answer?.status(), 200)
          assert.doesNotMatch((await answer?.text()) ?? '', / style=|<style|<script(?! type="module" src=)/)
          if (shots) {
            await page.screenshot({
              path: `${shots}/${path.replaceAll('/', '_')}-${width}-${colorScheme}.png`,
              fullPage: true,
            })
          }
          const found = (await findings()).map(
            ({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`,
          )
          assert.deepEqual(found, [], `${width} ${colorScheme}`)
          assert.equal(await page.locator('h1').count(), 1)
          assert.ok(
            await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
            `${width} scrolls sideways`,
          )
        }
      }
      page.off('console', listen)
      assert.deepEqual(broken, [])
    })
  }

  it('a script of the same origin that fetches a page gets 403', async () => {
    await page.goto(`${origin}/admin`)
    const [status] = await Promise.all([
      page.evaluate(`fetch('/account').then(({ status }) => status)`).catch(() => 403),
    ])
    assert.equal(status, 403)
    const headers = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', 'sec-fetch-site': 'same-origin' }
    assert.equal((await fetch(`${origin}/admin`, { headers, redirect: 'manual' })).status, 403)
  })

  it('ask once what a revocation ends, carry it out, and restore it', async () => {
    await page.goto(`${origin}/admin/clients/photos-cli`)
    await page.getByRole('button', { name: 'Revoke' }).click()
    assert.match((await page.textContent('h1')) ?? '', /Revoke this client\?/)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.waitForURL(/done=revoked/)
    await page.getByRole('button', { name: 'Restore' }).click()
    await page.waitForURL(/done=restored/)
  })

  it('show the link of an invitation once', async () => {
    await page.goto(`${origin}/admin/people/new`)
    await page.fill('#username', 'bob')
    await page.check('input[name=groups][value=photos]')
    await page.getByRole('button', { name: 'Invite' }).click()
    assert.match((await page.textContent('.secret code')) ?? '', /\/account\/link\?link=[\w-]{43}$/)
  })

  it('a form without its guard changes nothing', async () => {
    const cookie = (await chromium.context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ')
    const answer = await fetch(`${origin}/admin/clients/photos-cli/revoke`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie },
      body: new URLSearchParams({ decision: 'approve' }),
    })
    assert.equal(answer.status, 403)
  })

  it('say why a request was refused, by the id that the client was told', async () => {
    const refused = await fetch(`${origin}/photos/a`)
    assert.equal(refused.status, 401)
    const id = refused.headers.get('x-request-id') ?? ''
    // What was decided is handed over in batches.
    await expectHeading(`${origin}/admin/decisions/${id}`, 'Why was this refused?')
    assert.match((await page.textContent('main')) ?? '', /no_token/)
    assert.deepEqual(await findings(), [])
  })
})
