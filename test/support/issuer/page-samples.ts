import { accountPage } from '../../../src/issuer/pages/account.ts'
import { consentPage, deniedPage } from '../../../src/issuer/pages/consent.ts'
import {
  deviceApprovalPage,
  deviceCodePage,
  deviceDeniedPage,
  deviceDonePage,
} from '../../../src/issuer/pages/device.ts'
import { confirmPage, donePage, errorPage, leadOnPage } from '../../../src/issuer/pages/message.ts'
import { newPasswordPage, passwordDuePage } from '../../../src/issuer/pages/password-due.ts'
import { signedOutPage, signInPage, signOutPage } from '../../../src/issuer/pages/sign-in.ts'
import { factorPageSamples } from './factor-page-samples.ts'

const now = Date.UTC(2026, 2, 2, 12, 3, 4) / 1000
const site = 'gate.example.com'
const account = { username: 'alice', displayName: 'Alice Lindgren' }
const target = (name: string) => ({ action: `/oauth/interaction/u1/${name}`, hidden: { csrf: 'anti-forgery' } })
const viewer = { name: 'Gallery', verified: true, returnsTo: 'app.example.com' }
const printer = {
  name: 'Postcard printer',
  verified: false,
  returnsTo: 'print.example.net',
  idHost: 'clients.example.net',
  addresses: [
    { label: 'Website', url: 'https://print.example.net/' },
    {
      label: 'Privacy policy',
      url: 'https://print.example.net/about/what-we-keep-and-for-how-long/privacy-policy.html',
    },
  ],
}
const photos = {
  name: 'Photo library',
  identifier: 'https://gate.example.com/photos',
  scopes: [
    { scope: 'photos:read', description: 'See photos and albums', ticked: true },
    {
      scope: 'photos:write',
      description: 'Add, change and delete photos',
      ticked: false,
      unavailable: 'It is for people in the group photo-editors.',
    },
  ],
}
const files = {
  name: 'File store',
  identifier: 'https://gate.example.com/files',
  scopes: [
    { scope: 'files:read', description: 'List and download files', ticked: true },
    { scope: 'files:write', description: 'Upload, move and delete files', ticked: true },
  ],
}
const origin = { address: '203.0.113.9', device: 'audgate on Linux', at: now - 40, now }
const approval = {
  site,
  form: target('device'),
  client: { name: 'audgate command line', verified: true, returnsTo: undefined },
  account,
  switchAccount: target('switch'),
  userCode: 'BDWP-HQPK',
  resources: [photos],
  choosable: false,
  origin,
  problem: undefined,
}
const consent = {
  site,
  form: target('consent'),
  client: printer,
  account,
  switchAccount: target('switch'),
  resources: [photos, files],
  remembered: true,
  problem: undefined,
}
const connected = {
  site,
  account: { ...account, email: 'alice@example.com', groups: ['photos', 'files'] },
  notices: [],
  apps: [
    {
      client: viewer,
      resources: [
        {
          name: photos.name,
          identifier: photos.identifier,
          scopes: photos.scopes.slice(0, 1),
          since: now - 40 * 86_400,
        },
        { name: files.name, identifier: files.identifier, scopes: files.scopes, since: now - 7200 },
      ],
      lastUsed: now - 180,
      devices: [
        { label: 'Firefox on Linux', since: now - 40 * 86_400, lastUsed: now - 180, revoke: target('revoke-1') },
        { label: 'Safari on iPhone', since: now - 86_400 * 3, lastUsed: undefined, revoke: target('revoke-2') },
      ],
      revoke: target('disconnect-1'),
    },
    {
      client: printer,
      resources: [
        { name: photos.name, identifier: photos.identifier, scopes: photos.scopes.slice(0, 1), since: now - 60 },
      ],
      lastUsed: undefined,
      devices: [],
      revoke: target('disconnect-2'),
    },
  ],
  browsers: [
    { label: 'Firefox on Linux', address: '192.0.2.7', since: now - 7_200, seen: now - 60, others: undefined },
    {
      label: 'Safari on iPhone',
      address: '2001:db8::7',
      since: now - 90_000,
      seen: now - 4_000,
      others: { signOut: target('end-browser'), notMe: target('not-me') },
    },
    {
      label: '',
      address: undefined,
      since: undefined,
      seen: undefined,
      others: { signOut: target('end-browser-2'), notMe: target('not-me-2') },
    },
  ],
  services: [photos].map(({ name, identifier, scopes }) => ({ name, identifier, scopes })),
  events: [
    { text: 'You signed in', address: '192.0.2.7', at: now - 7_200, warns: false },
    { text: 'You signed in with a recovery code', address: undefined, at: now - 90_000, warns: true },
  ],
  dataPath: '/account/my-data',
  password: { form: target('password'), shortest: 15, problem: undefined, mayKeep: true },
  signOut: target('sign-out'),
  signOutEverywhere: target('everywhere'),
  now,
}
const signIn = {
  site,
  form: target('sign-in'),
  client: viewer,
  resources: ['Photo library', 'File store'],
  username: '',
  problem: undefined,
}

/** Every page of the issuer, in the states that people meet it in. */
export const pageSamples: Readonly<Record<string, string>> = {
  'sign-in': signInPage(signIn),
  'sign-in-wrong': signInPage({
    ...signIn,
    username: 'alice',
    problem: 'That username and password don’t belong together.',
    cancel: target('cancel'),
  }),
  'sign-in-account': signInPage({ ...signIn, client: undefined, resources: [] }),
  consent: consentPage(consent),
  'consent-nothing': consentPage({
    ...consent,
    client: viewer,
    remembered: false,
    problem: 'Tick at least one, or choose “Don’t allow”.',
  }),
  denied: deniedPage({
    site,
    form: target('denied'),
    client: viewer,
    account: { username: 'bob', displayName: undefined },
    switchAccount: target('switch'),
    resources: [
      { name: photos.name, identifier: photos.identifier, groups: ['photos', 'photo-editors'] },
      { name: 'Archive', identifier: 'https://gate.example.com/archive', groups: [] },
    ],
  }),
  'device-code': deviceCodePage({ site, form: target('code'), userCode: '', problem: undefined }),
  'device-code-wrong': deviceCodePage({
    site,
    form: target('code'),
    userCode: 'BDWP-HQPX',
    problem: 'No device waits with this code. Check it, or start again on the device.',
  }),
  'device-approval': deviceApprovalPage(approval),
  'device-approval-third': deviceApprovalPage({
    ...approval,
    client: { ...printer, returnsTo: undefined },
    choosable: true,
  }),
  'device-done': deviceDonePage({ site, client: approval.client }),
  'device-denied': deviceDeniedPage({ site, client: approval.client }),
  error: errorPage({
    site,
    title: 'This sign-in has expired',
    what: 'It was started more than 15 minutes ago, or in another browser.',
    advice: 'Go back to the app and sign in from there again.',
    code: 'invalid_request',
    requestId: '01J9ZQ4T3K8N',
  }),
  'sign-out': signOutPage({ site, form: target('sign-out'), account, client: viewer }),
  'signed-out': signedOutPage({ site, next: { url: 'https://app.example.com/bye', name: 'Gallery' } }),
  account: accountPage(connected),
  'account-revoked': accountPage({
    ...connected,
    notices: [{ kind: 'done', text: 'Postcard printer has no access any more. That took effect at 12:03:04 UTC.' }],
    apps: connected.apps.slice(0, 1),
    password: {
      form: target('password'),
      shortest: 15,
      mayKeep: true,
      problem: { field: 'current_password', text: 'That is not your password now.' },
    },
  }),
  'account-empty': accountPage({ ...connected, apps: [], password: undefined }),
  'new-password': newPasswordPage({
    site,
    account,
    notices: [
      { kind: 'done', text: 'Safari on iPhone was signed out at 12:03:04 UTC, and all that came from it ended.' },
    ],
    password: { form: target('password'), shortest: 15, problem: undefined, mayKeep: false },
    signOut: target('sign-out'),
  }),
  'password-due': passwordDuePage({ site, account, goOn: target('go-on'), switchAccount: target('switch') }),
  confirm: confirmPage({
    site,
    form: target('disconnect'),
    account,
    question: 'Disconnect Gallery?',
    consequences: [
      'Gallery loses its access to the photo library and the file store at once, on 2 devices.',
      'What it is doing right now may still finish; its next request is refused.',
    ],
    act: 'Disconnect Gallery',
    cancelUrl: '/account',
  }),
  // Stands still, to be looked at.
  'lead-on': leadOnPage({ site, url: '/oauth/authorize/u1', name: 'Gallery' }).replace(/<meta http-equiv=[^>]*>/, ''),
  done: donePage({
    site,
    title: 'Signed out everywhere',
    text: ['Every session and device of yours was signed out at 12:03:04 UTC.'],
    next: { url: '/account', label: 'Sign in again' },
  }),
  ...factorPageSamples,
}
