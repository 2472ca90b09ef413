import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { type StartedChromium, startChromium } from '../programs/chromium.ts'
import { type CommandLine, commandLine } from '../programs/command-line.ts'
import { freePorts } from '../programs/free-ports.ts'

const PASSWORD = 'a long password of ada'
const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** `audgate serve` as a process, with ada the administrator and carol who is none, and a browser. */
export interface OfficeUnderTest {
  readonly origin: string
  readonly shell: CommandLine
  readonly chromium: StartedChromium
  /** Makes a person by a link, as the command does. */
  invite(name: string, groups: string): Promise<void>
  /** Opens an address that asks for a sign-in, and comes back to it. */
  signIn(page: Page, username: string, path: string): Promise<void>
  /** Stops the server and starts it again, on the same store and port. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** @param more further lines of routes.yaml. */
export async function startOffice(more = ''): Promise<OfficeUnderTest> {
  const [port = 0, management = 0] = await freePorts(2)
  const origin = `http://localhost:${port}`
  const shell = commandLine(fileOf(origin, port, management, more))
  const running = { server: await serve(shell) }
  const chromium = await startChromium()
  const office: OfficeUnderTest = {
    origin,
    shell,
    chromium,
    invite: async (name, groups) => {
      const invited = await shell.run([
        'user',
        'invite',
        name,
        '--groups',
        groups,
        '--name',
        `${name} Example`,
        '--json',
      ])
      assert.equal(invited.code, 0, invited.stderr)
      const link = new URL(JSON.parse(invited.stdout).url).searchParams.get('link') ?? ''
      const body = new URLSearchParams({ link, new_password: PASSWORD, repeat_password: PASSWORD })
      await fetch(`${origin}/account/link`, { method: 'POST', redirect: 'manual', body })
    },
    signIn: async (page, username, path) => {
      await page.goto(`${origin}${path}`)
      await page.fill('input[name=username]', username)
      await page.fill('input[name=password]', PASSWORD)
      await page.click('button[type=submit]')
      await page.waitForURL(`${origin}${path}`)
    },
    restart: async () => {
      await stop(running.server)
      running.server = await serve(shell)
    },
    close: async () => {
      await chromium.close()
      await stop(running.server)
      shell.close()
    },
  }
  await office.invite('ada', 'admins,photos')
  await office.invite('carol', 'photos')
  return office
}

/** What axe finds serious, in words. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axeSource)
  const found: readonly AxeFinding[] = await page.evaluate(
    `axe.run(document, { runOnly: ${JSON.stringify(RULES)} }).then(({ violations }) => violations)`,
  )
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`)
}

interface AxeFinding {
  readonly id: string
  readonly impact: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[]
}

function fileOf(origin: string, port: number, management: number, more: string): string {
  return `
public_url: ${origin}
listen: 127.0.0.1:${port}
management: 127.0.0.1:${management}
${more}
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
`
}

async function serve(shell: CommandLine): Promise<ChildProcess> {
  const server = spawn(process.execPath, [`${import.meta.dirname}/../../../src/cli/audgate.js`, 'serve'], {
    cwd: shell.folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let log = ''
  server.stdout?.on('data', (chunk) => (log += chunk))
  while (!log.includes('"listening"')) await Promise.race([once(server.stdout ?? server, 'data'), failed(server)])
  return server
}

async function stop(server: ChildProcess): Promise<void> {
  server.kill('SIGTERM')
  await once(server, 'exit')
}

async function failed(child: ChildProcess): Promise<void> {
  const [code] = await once(child, 'exit')
  throw new Error(`the server ended with ${code}`)
}
