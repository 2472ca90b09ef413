import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { linkMail } from '../../../src/server/mail/link-mail.ts'
import { sendMail } from '../../../src/server/mail/mailer.ts'
import { type BlackBox, callUrl, startBlackBox } from '../../support/issuer/served-issuer.ts'
import { MAIL_USER, type MailServer, startMailServer } from '../../support/programs/mail-server.ts'

const FROM = 'Gate, the “one” <gate@example.com>'
const LINK = /^http\S+\/account\/link\?link=[A-Za-z0-9_-]{43}$/m
/** 127.0.0.1 in a spelling that is not taken for loopback. */
const ELSEWHERE = '[::ffff:127.0.0.1]'
const MAILER = new URL('../../../src/server/mail/mailer.ts', import.meta.url).href
const SENDING =
  'const [url, given] = process.argv.slice(1); const { sendMail } = await import(url); process.stdout.write(JSON.stringify(await sendMail(...JSON.parse(given))))'
const credentials = `${MAIL_USER.user}:${encodeURIComponent(MAIL_USER.pass)}`

describe('links by mail', () => {
  const under: { box: BlackBox; server: MailServer; token: string } = {
    box: undefined as never,
    server: undefined as never,
    token: '',
  }
  const call = (path: string, method: string, body: object) =>
    callUrl(
      `${under.box.url}/admin/api/v1${path}`,
      { authorization: `Bearer ${under.token}`, 'content-type': 'application/json' },
      method,
      JSON.stringify(body),
    )
  before(async () => {
    under.server = await startMailServer({
      onRcptTo: ({ address }, _session, done) =>
        done(address.startsWith('full') ? Object.assign(new Error('full'), { responseCode: 552 }) : null),
    })
    const smtp = `smtp://gate:\${SMTP_PASSWORD}@127.0.0.1:${under.server.port}`
    under.box = await startBlackBox({
      settings: `mail: { smtp: "${smtp}", from: ${JSON.stringify(FROM)} }`,
      env: { SMTP_PASSWORD: encodeURIComponent(MAIL_USER.pass) },
    })
    const { box } = under
    await box.addUser('alice', 'admins', '--name', 'Alice Ray')
    await box.addApp('cli')
    const { access } = await box.signIn('alice', {
      scope: 'admin:read admin:write',
      resource: [`${box.url}/admin/api`],
    })
    under.token = access
  })
  after(async () => {
    await under.box.close()
    await under.server.close()
  })

  it('an invitation by mail reaches the person alone, says who invites, and its link works', async () => {
    const body = { username: 'bob', email: 'bob@example.org', name: 'Bob Ødegård', invite: true, mail: true }
    const answer = await call('/people', 'POST', body)
    const link = answer.body.link as { url: string; mail: object }
    assert.deepEqual([answer.status, link.mail], [201, { sent: true }], JSON.stringify(answer.body))
    const mail = under.server.received.at(-1)
    assert.deepEqual([mail?.from, mail?.to, mail?.user], ['gate@example.com', ['bob@example.org'], 'gate'])
    assert.match(mail?.headers.get('content-type') ?? '', /^text\/plain; charset=utf-8/)
    assert.equal(mail?.headers.get('auto-submitted'), 'auto-generated')
    assert.match(mail?.text ?? '', /^Hello Bob Ødegård,\r\n\r\nAlice Ray invites you/)
    const [url = ''] = LINK.exec(mail?.text ?? '') ?? []
    assert.equal(url, link.url)
    assert.equal((await callUrl(url, {})).status, 200)
  })
  it('a link of the command line goes by mail, and is not printed then', async () => {
    const printed = await under.box.done('user', 'invite', 'carol', '--email', 'carol@example.org', '--mail')
    assert.match(printed, /^The link is on its way to carol@example.org\. It works once, until .* UTC\.\n$/)
    assert.match(under.server.received.at(-1)?.text ?? '', /^Hello carol,\r\n\r\nThe operator invites you/)
  })
  it('a link whose mail was refused is answered with what is wrong, and leaves one audit line', async () => {
    await call('/people', 'POST', { username: 'dora', email: 'full@example.org' })
    const answer = await call('/people/dora/links', 'POST', { kind: 'invite', mail: true })
    const { sent, problem } = answer.body.mail as { sent: boolean; problem: string }
    assert.deepEqual([answer.status, sent], [201, false])
    assert.match(problem, /refused the sender \(`mail.from`\) or the recipient \(it answered 552\)$/)
    assert.match(String(answer.body.url), LINK)
    const ended = await under.box.audgate(['user', 'invite', 'dora', '--mail'])
    assert.equal(ended.code, 1)
    assert.match(ended.stderr, /no mail was sent: the mail server refused/)
    assert.match(ended.stdout, LINK)
  })
  it('nobody without a mail address is sent one, and no link is made then', async () => {
    await call('/people', 'POST', { username: 'erin' })
    const answer = await call('/people/erin/links', 'POST', { kind: 'invite', mail: true })
    assert.deepEqual([answer.status, answer.reason], [400, 'invalid_request'])
    const ended = await under.box.audgate(['user', 'recover', 'erin', '--mail'])
    assert.deepEqual([ended.code, /has none/.test(ended.stderr)], [1, true])
  })
  it('neither the log nor the audit holds a link’s secret, an address or the mail server’s password', async () => {
    const { items } = (await callUrl(`${under.box.url}/admin/api/v1/audit?limit=200`, {
      authorization: `Bearer ${under.token}`,
    }).then(({ body }) => body)) as { items: object[] }
    const { stdout, stderr } = under.box.output()
    const told = `${stdout}${stderr}${JSON.stringify(items)}`
    assert.match(told, /"mail\.sent"/)
    assert.match(told, /"mail\.failed"/)
    const secrets = under.server.received.map(({ text }) => text.match(/link=([\w-]{43})/)?.[1] ?? '')
    for (const secret of [...secrets, 'hush', 'bob@example.org', 'full@example.org'])
      assert.ok(secret !== '' && !told.includes(secret), secret)
  })
  it('without a mail server: 409 mail_off, and the command says what to set', async () => {
    const box = await startBlackBox()
    try {
      await box.addUser('alice', 'admins', '--email', 'alice@example.org')
      await box.addApp('cli')
      const { access } = await box.signIn('alice', { scope: 'admin:write', resource: [`${box.url}/admin/api`] })
      const answer = await callUrl(
        `${box.url}/admin/api/v1/people/alice/links`,
        { authorization: `Bearer ${access}`, 'content-type': 'application/json' },
        'POST',
        JSON.stringify({ kind: 'recover', mail: true }),
      )
      assert.deepEqual([answer.status, answer.reason], [409, 'mail_off'])
      const ended = await box.audgate(['user', 'recover', 'alice', '--mail'])
      assert.deepEqual([ended.code, /set `mail` in routes.yaml/.test(ended.stderr)], [1, true])
    } finally {
      await box.close()
    }
  })
})

describe('the way to the mail server', () => {
  const mail = { to: 'bob@example.org', subject: 's', text: 't' }
  const send = (smtp: string, ms?: number) => sendMail({ smtp, from: FROM }, mail, ms)

  it('in clear goes to loopback, and to others only where the file says so', async () => {
    const server = await startMailServer()
    try {
      assert.equal((await send(`smtp://127.0.0.1:${server.port}`)).kind, 'sent')
      // This machine, too, but by a spelling that isn't known to be it.
      const refused = await send(`smtp://${credentials}@${ELSEWHERE}:${server.port}`)
      assert.equal(refused.kind === 'failed' && refused.fault, 'ETLS')
      assert.equal((await send(`smtp://${ELSEWHERE}:${server.port}?tls=off`)).kind, 'sent')
      assert.deepEqual(
        server.received.map(({ user }) => user),
        [undefined, undefined],
      )
    } finally {
      await server.close()
    }
  })
  it('with TLS needs a certificate that the system trusts, at once and by STARTTLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'audgate-mail-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:::ffff:7f00:1']
    execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...names], { stdio: 'ignore' })
    const pem = { key: readFileSync(key), cert: readFileSync(cert) }
    const [tls, later] = [await startMailServer({ ...pem, secure: true }), await startMailServer(pem)]
    const urls = [`smtps://${credentials}@localhost:${tls.port}`, `smtp://${credentials}@${ELSEWHERE}:${later.port}`]
    const trusting = async (smtp: string): Promise<string> => {
      const settings = JSON.stringify([{ smtp, from: FROM }, mail])
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert }
      const child = spawn(process.execPath, ['--input-type=module', '-e', SENDING, MAILER, settings], { env })
      return text(child.stdout)
    }
    try {
      for (const url of urls) {
        const refused = await send(url)
        assert.match(refused.kind === 'failed' ? refused.problem : '', /its certificate is not one/, url)
      }
      assert.deepEqual([tls.received, later.received], [[], []])
      for (const url of urls) assert.equal(await trusting(url), '{"kind":"sent"}')
      const [first] = [...tls.received, ...later.received.filter(({ secure }) => secure)].slice(1)
      assert.deepEqual([first?.secure, first?.user], [true, MAIL_USER.user])
    } finally {
      await tls.close()
      await later.close()
      rmSync(folder, { recursive: true })
    }
  })
  it('is given up after its time, and says so', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const late = await send(`smtp://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, 50)
    assert.match(late.kind === 'failed' ? late.problem : '', /did not answer in time/)
    silent.close()
  })
  it('is never taken for an address that is two, or none', async () => {
    const server = await startMailServer()
    try {
      for (const to of ['a,b@example.org', 'a;b@example.org', '<a@example.org>', 'a@b,c', 'a@b\r\nBcc: c@d', '"a"@b']) {
        const sent = await sendMail({ smtp: `smtp://127.0.0.1:${server.port}`, from: FROM }, { ...mail, to })
        assert.equal(sent.kind, 'failed', to)
      }
      const user = { username: 'bob', displayName: 'Bob\r\nBcc: eve@example.org' }
      const link = { kind: 'invite', url: 'https://gate.example.com/account/link?link=x', expiresAt: 0, user } as const
      await sendMail(
        { smtp: `smtp://127.0.0.1:${server.port}`, from: FROM },
        linkMail('bob@example.org', { ...link, maker: undefined }),
      )
      assert.deepEqual(
        server.received.map(({ to, headers }) => [to, headers.has('bcc')]),
        [[['bob@example.org'], false]],
      )
    } finally {
      await server.close()
    }
  })
})
