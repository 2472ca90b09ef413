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
})
