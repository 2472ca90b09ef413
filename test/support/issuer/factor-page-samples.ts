import { linkPage } from '../../../src/issuer/pages/link.ts'
import { addPasskeyPage } from '../../../src/issuer/pages/passkey.ts'
import { removeFactorPage } from '../../../src/issuer/pages/remove-factor.ts'
import { codePage, enrolPage, recoveryCodesPage } from '../../../src/issuer/pages/second-factor.ts'
import { mustEnrolPage, unmetPage } from '../../../src/issuer/pages/unmet.ts'

const site = 'gate.example.com'
const account = { username: 'alice', displayName: 'Alice Lindgren' }
const target = (name: string) => ({ action: `/oauth/interaction/u1/${name}`, hidden: { csrf: 'anti-forgery' } })
const problem = undefined
const makes = { form: target('passkey'), options: '{}', kind: 'create' } as const
const asks = { ...makes, kind: 'get' } as const
const client = { name: 'Gallery', verified: true, returnsTo: 'app.example.com' }
const unmet = {
  site,
  form: target('deny'),
  client,
  account,
  switchAccount: target('switch'),
  again: target('again'),
  passkey: undefined,
  app: undefined,
  elsewhere: undefined,
  byProvider: false,
  problem,
} as const
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'

/** The pages on what comes beside and after a password, in the states that people meet them in. */
export const factorPageSamples: Readonly<Record<string, string>> = {
  'unmet-add': unmetPage({ ...unmet, passkey: makes, app: target('app') }),
  'unmet-passkey': unmetPage({ ...unmet, passkey: makes, problem: 'That passkey was not accepted. Try again.' }),
  'unmet-elsewhere': unmetPage({ ...unmet, elsewhere: 'a second factor' }),
  'unmet-nothing': unmetPage({ ...unmet, byProvider: true }),
  'must-enrol': mustEnrolPage({ site, account, passkey: makes, app: target('app'), problem, cancel: target('deny') }),
  code: codePage({ site, form: target('code'), takes: 'app', rememberDays: 30, passkey: asks, problem }),
  'enrol-app': enrolPage({
    site,
    form: target('confirm'),
    account,
    secret,
    uri: `otpauth://totp/gate.example.com:alice?issuer=gate.example.com&secret=${secret}`,
    problem: 'That is not the code of this moment. Type the one that the app shows now.',
    cancelUrl: '/account',
  }),
  'recovery-codes': recoveryCodesPage({
    site,
    codes: Array.from({ length: 8 }, (_, at) => `ABCD${at + 2}-EFGHI-JKLMN-OPQRS-TUVWX`),
    nextUrl: '/account',
  }),
  'remove-factor': removeFactorPage({
    site,
    form: target('remove'),
    account,
    what: 'The authenticator app',
    password: 'longer',
    shortest: 15,
    problem,
    cancelUrl: '/account',
  }),
  'add-passkey': addPasskeyPage({
    site,
    account,
    passkey: makes,
    name: 'Firefox on Linux',
    problem,
    cancelUrl: '/account',
  }),
  link: linkPage({
    site,
    shortest: 15,
    kind: 'invite',
    account,
    from: 'Bob',
    gives: ['Photo library: See photos and albums'],
    form: target('link'),
    passkey: makes,
    problem,
    busy: false,
  }),
}
