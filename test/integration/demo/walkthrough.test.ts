import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  answers,
  type DemoFolder,
  type DemoProcess,
  demoFolder,
  passwordIn,
  startDemo,
} from '../../support/demo-under-test.ts'
import { formWith, type Page, Person } from '../../support/issuer/browser-less-person.ts'
import { openShell, type Shell } from '../../support/programs/shell.ts'

const STEPS = 10

/** The commands of a printed walk-through with the answers that it promises. */
function stepsOf(text: string): readonly { readonly command: string; readonly answer: string }[] {
  return text.split('\n').flatMap((line) => {
    const [command = '', answer] = line.split('  # → ')
    return answer === undefined ? [] : [{ command, answer }]
  })
}

/** `…` stands for anything; what stands between must be there, in that order. */
function assertPromised(output: string, answer: string): void {
  let from = 0
  for (const part of answer.split('…').map((each) => each.trim())) {
    const at = output.indexOf(part, from)
    assert.ok(at >= 0, `${JSON.stringify(part)} of ${answer} is not in ${output}`)
    from = at + part.length
  }
}

/** Follows a link as people do: signs in, agrees where asked to, and takes a no for what it is. */
async function follow(person: Person, link: string): Promise<Page> {
  let page = await person.open(link)
  for (let step = 0; step < 6; step += 1) {
    if (/name="password"/.test(page.text)) page = await person.signIn(page)
    else if (/value="approve"/.test(page.text)) page = await person.decide(page, 'approve')
    else if (/value="deny"/.test(page.text)) page = await person.decide(page, 'deny')
    else if (/name="user_code"/.test(page.text)) page = await person.send(page, formWith(page, 'user_code'))
    else break
  }
  return page
}

describe('npm start', () => {
  let folder: DemoFolder
  let demo: DemoProcess
  let shell: Shell
  let text: string

  before(async () => {
    folder = await demoFolder()
    demo = startDemo(folder)
    text = await demo.ready()
    shell = openShell(folder.path, { XDG_CONFIG_HOME: join(folder.path, 'config') })
  })
  after(async () => {
    await shell.close()
    await demo.interrupt()
    folder.remove()
  })

  /** Pastes a line; whoever its answer names follows the link that it prints. */
  async function paste(command: string, answer: string): Promise<string> {
    const username = /\b(alice|bob)$/.exec(answer)?.[1]
    const visits: Promise<Page>[] = []
    const { output } = await shell.paste(`${command}  # → ${answer}`, (soFar) => {
      const link = /http:\/\/localhost:\d+\/oauth\/device\S*(?=\s)/.exec(soFar)?.[0]
      if (username === undefined || link === undefined || visits.length > 0) return
      const person = new Person(folder.url, username, passwordIn(text, username))
      visits.push(follow(person, link))
    })
    await Promise.all(visits)
    return output
  }

  it('prints a walk-through whose every command answers as promised', async () => {
    const steps = stepsOf(text)
    assert.equal(steps.length, STEPS)
    for (const { command, answer } of steps) {
      const output = await paste(command, answer)
      if (/^[A-Z]+=\$\(/.test(command)) await assertToken(command, output)
      else assertPromised(output, answer.replace(/ for bob$/, ''))
    }
  })

  async function assertToken(command: string, output: string): Promise<void> {
    const { output: token } = await shell.paste(`echo "$${command.split('=')[0]}"`)
    assert.match(token, /^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/, `${command} gave no token: ${output}`)
  }

  it('warns of nothing that it brings itself: the administrator is there before the first check', () => {
    assert.doesNotMatch(demo.stdout, /"admin\.nobody"/)
  })

  it('shows a photo', () => {
    const photo = readFileSync(join(folder.path, 'data/photo.png'))
    assert.equal(photo.toString('latin1', 1, 4), 'PNG')
    assert.ok(photo.length > 5_000)
  })

  it('has a start page at / and the sample apps below /demo/', async () => {
    for (const path of ['/', '/demo/', '/demo/print-shop/']) {
      const response = await fetch(`${folder.url}${path}`)
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
    }
  })

  it('writes no password and no secret into the log', () => {
    const kept: Record<string, string> = JSON.parse(readFileSync(join(folder.path, 'data/demo.json'), 'utf8'))
    assert.ok(demo.stdout.includes('"event":"listening"'))
    assert.equal(Object.values(kept).length, 4)
    for (const secret of Object.values(kept)) assert.equal(demo.stdout.includes(secret), false)
    assert.equal(statSync(join(folder.path, 'data/demo.json')).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder.path, 'data/photo-backup.curl')).mode & 0o777, 0o600)
  })

  it('leaves nothing running after Ctrl-C, and keeps what was there when it starts again', async () => {
    await demo.interrupt()
    for (const port of [folder.port, ...folder.upstreamPorts]) {
      assert.equal(await answers(`http://127.0.0.1:${port}/`), false, `port ${port} still answers`)
    }
    demo = startDemo(folder)
    const again = await demo.ready()
    assert.equal(again, text)
  })

  it('can be walked through again from the top', async () => {
    const [token, photo] = stepsOf(demo.stderr)
    await paste(token?.command ?? '', token?.answer ?? '')
    assertPromised(await paste(photo?.command ?? '', ''), photo?.answer ?? '')
  })
})
