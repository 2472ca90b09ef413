import assert from 'node:assert/strict'
import { type AuthorizeOptions, formsOf, type Page, type PageForm, Person, redeem } from './browser-less-person.ts'
import type { IssuerUnderTest } from './issuer-under-test.ts'

const REDIRECT_URI = 'http://127.0.0.1/callback'

/** A person who has signed in on the account page, and what it showed. */
export async function atAccount(issuer: IssuerUnderTest, username: string): Promise<{ person: Person; page: Page }> {
  const person = new Person(issuer.url, username)
  const page = await person.signIn(await person.open('/account'))
  assert.match(page.text, /<h1>Your account<\/h1>/)
  return { person, page }
}

/** The forms of a page that lead to a step of the account page. */
export function stepForms(page: Page, step: string): readonly PageForm[] {
  return formsOf(page).filter(({ action }) => action === `/account/${step}`)
}

/** The one form of a page that leads to a step, narrowed by a hidden field where there are several. */
export function stepForm(page: Page, step: string, field = '', value = ''): PageForm {
  const found = stepForms(page, step).filter(({ fields }) => field === '' || fields.get(field) === value)
  const [form] = found
  assert.ok(form !== undefined && found.length === 1, `${found.length} forms to ${step} on this page: ${page.text}`)
  return form
}

/** Presses the button of a step, and says yes to the question that follows. */
export async function confirmStep(person: Person, page: Page, form: PageForm): Promise<Page> {
  return person.decide(await person.send(page, form), 'approve')
}

/** Makes a native client that people can connect. */
export function addApp(issuer: IssuerUnderTest, id: string, more: { thirdParty?: boolean; name?: string } = {}) {
  return issuer.addClient({ id, type: 'native', redirectUris: [REDIRECT_URI], ...more })
}

/** Connects a client to a person: sign-in, consent where it is asked, code, tokens. */
export async function connect(
  issuer: IssuerUnderTest,
  person: Person,
  clientId: string,
  more: Partial<AuthorizeOptions> = {},
): Promise<{ accessToken: string; refreshToken: string; gid: string }> {
  const options = { clientId, redirectUri: REDIRECT_URI, resource: issuer.photos, scope: 'photos:read', ...more }
  const { code, verifier } = await person.authorize(options)
  const { redirectUri, resource } = options
  const { status, body } = await redeem(issuer.url, { code, verifier }, { clientId, redirectUri, resource })
  assert.equal(status, 200, JSON.stringify(body))
  const [payload = ''] = String(body.access_token).split('.').slice(1)
  const { gid } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return { accessToken: String(body.access_token), refreshToken: String(body.refresh_token), gid }
}

/** What a browser sends as its cookies, to be sent once more when it has others. */
export function cookieHeader(person: Person): string {
  return [...person.cookies()].map(([name, value]) => `${name}=${value}`).join('; ')
}
