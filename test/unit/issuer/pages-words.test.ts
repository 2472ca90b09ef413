import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { consentPage } from '../../../src/issuer/pages/consent.ts'
import { deviceApprovalPage } from '../../../src/issuer/pages/device.ts'
import { signedOutPage } from '../../../src/issuer/pages/sign-in.ts'
import { pageSamples } from '../../support/issuer/page-samples.ts'

const sample = (name: string): string => pageSamples[name] ?? assert.fail(name)
const target = { action: '/go', hidden: { csrf: 'c' } }
// What asks for passkeys and shows new passwords: nothing but these is run, and the policy holds them to this origin.
const OWN_SCRIPTS = /<script type="module" src="\/oauth\/assets\/(?:passkey|reveal)\.[\w-]{12}\.js"><\/script>/g
const account = { username: 'alice', displayName: undefined }
const evil = '<img src=x onerror=alert(1)>"\u202e'
const client = { name: evil, verified: false, returnsTo: evil, idHost: evil }
const resources = [
  {
    name: evil,
    identifier: evil,
    scopes: [
      { scope: '"<img src=x>', description: evil, ticked: true },
      { scope: 'x', description: 'y', ticked: true, unavailable: evil },
    ],
  },
]

describe('every page', () => {
  for (const [name, page] of Object.entries(pageSamples)) {
    it(`${name}: is one document without inline scripts and styles, or anything from elsewhere`, () => {
      assert.match(page, /^<!doctype html>/)
      assert.doesNotMatch(page.replace(OWN_SCRIPTS, ''), /<script|<style| style=| on[a-z]+=|javascript:/i)
      for (const [, url] of page.matchAll(/<(?:img|link)[^>]* (?:src|href)="([^"]*)"/g))
        assert.match(url ?? '', /^\/oauth\/assets\//)
      assert.equal(page.match(/<h1/g)?.length, 1)
      assert.equal(page.match(/<main/g)?.length, 1)
    })

    it(`${name}: sends every form by POST with what the model hides in it`, () => {
      for (const [tag] of page.matchAll(/<form[^>]*>/g)) assert.match(tag, /method="post" action="\/oauth\//)
      const forms = page.match(/<form/g)?.length ?? 0
      assert.equal(page.match(/name="csrf" value="anti-forgery"/g)?.length ?? 0, forms)
    })
  }
})

describe('sign-in page', () => {
  it('keeps the typed username, never a password', () => {
    assert.match(sample('sign-in-wrong'), /name="username"[^>]*value="alice"/)
    assert.doesNotMatch(sample('sign-in-wrong'), /type="password"[^>]*value=/)
  })

  it('says the problem as an alert, on the page', () => {
    assert.match(sample('sign-in-wrong'), /role="alert">That username and password/)
    assert.doesNotMatch(sample('sign-in'), /role="alert"/)
  })
})

describe('consent page', () => {
  it('has a box for each scope that may be had, and none for the others, with the reason', () => {
    const boxes = [...sample('consent').matchAll(/type="checkbox" name="scope" value="([^"]*)" checked/g)].map(
      ([, scope]) => scope,
    )
    assert.deepEqual(boxes, ['photos:read', 'files:read', 'files:write'])
    assert.match(sample('consent'), /Not available to you\.<\/strong> It is for people in the group photo-editors\./)
  })

  it('says whether the client is verified and where it sends people back', () => {
    assert.match(sample('consent'), /Not verified/)
    assert.match(sample('consent'), /print\.example\.net/)
    assert.match(sample('consent-nothing'), />Verified</)
    assert.doesNotMatch(sample('consent-nothing'), /registered itself/)
  })

  it('approves nothing by the Enter key alone, and focuses neither answer', () => {
    const first = /<button[^>]*>/.exec(sample('consent').split('class="form"')[1] ?? '')?.[0] ?? ''
    assert.match(first, / hidden>$/)
    assert.doesNotMatch(first, /name=/)
    assert.doesNotMatch(sample('consent'), /autofocus/)
  })

  it('lets no name, scope or reason from outside become markup', () => {
    const page = consentPage({
      site: 'g',
      form: { action: '/go', hidden: { csrf: '"<img src=x>' } },
      client,
      account: { username: evil, displayName: evil },
      switchAccount: target,
      resources,
      remembered: true,
      problem: evil,
    })
    assert.doesNotMatch(page, /<img src=x|\u202e/)
  })
})

describe('device approval page', () => {
  const model = {
    site: 'g',
    form: target,
    client,
    account,
    switchAccount: undefined,
    userCode: evil,
    resources,
    origin: { address: evil, device: evil, at: 1, now: 2 },
    problem: undefined,
  }

  it('lets nothing from the device become markup', () => {
    for (const choosable of [true, false]) {
      assert.doesNotMatch(deviceApprovalPage({ ...model, choosable }), /<img src=x|\u202e/)
    }
  })

  it('has boxes where scopes can be left out, and none where it is all or nothing', () => {
    assert.match(deviceApprovalPage({ ...model, choosable: true }), /type="checkbox"/)
    assert.doesNotMatch(deviceApprovalPage({ ...model, choosable: false }), /type="checkbox"/)
  })

  it('shows the code, where the device asked from and when', () => {
    assert.match(sample('device-approval'), /BDWP-HQPK/)
    assert.match(sample('device-approval'), /203\.0\.113\.9, <time[^>]*>40 seconds ago/)
  })
})

describe('denied page', () => {
  it('says why, names the groups that would do, and goes back to the client', () => {
    assert.match(
      sample('denied'),
      /<strong class="group">photos<\/strong> or <strong class="group">photo-editors<\/strong>/,
    )
    assert.match(sample('denied'), /name="decision" value="deny"/)
  })
})

describe('account page', () => {
  it('lists each app with its resources, scopes in words, devices, and a form to end each', () => {
    const page = sample('account')
    for (const name of ['disconnect-1', 'disconnect-2', 'revoke-1', 'revoke-2', 'password', 'sign-out', 'everywhere'])
      assert.match(page, new RegExp(`action="/oauth/interaction/u1/${name}"`))
    assert.match(page, /See photos and albums/)
    assert.match(page, /Firefox on Linux/)
  })

  it('names in each sign-out button what it ends, for those who hear the page', () => {
    assert.match(sample('account'), /Sign out<span class="unseen"> Gallery on Firefox on Linux<\/span>/)
  })
})

describe('signed-out page', () => {
  it('links to no address that runs something', () => {
    assert.doesNotMatch(signedOutPage({ site: 'g', next: { url: 'javascript:alert(1)', name: 'X' } }), /javascript/)
  })
})
