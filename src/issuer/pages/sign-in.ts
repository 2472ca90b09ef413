import { type FormTarget, field, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, clientNamed, type PageAccount, type PageClient } from './parties.ts'
import { type PasskeyForm, passkeyForm } from './passkey.ts'
import { type PageProvider, providerLinks } from './provider.ts'
import { clientName, plainWords } from './words.ts'

interface SignInModel extends PageFrame {
  /** Takes `username` and `password`. */
  readonly form: FormTarget
  /** Who asks; undefined when the person wants to see their own account. */
  readonly client: PageClient | undefined
  /** Names of the resources asked for. */
  readonly resources: readonly string[]
  /** As typed before, or the client's hint; '' for none. */
  readonly username: string
  /** What went wrong with the last try; the same words for an unknown name and a wrong password. */
  readonly problem: string | undefined
  /** Other ways to sign in, above the form. */
  readonly providers?: readonly PageProvider[]
  /** Where the form for a password is; shown, unless something else is said. */
  readonly password?: 'shown' | 'none' | { readonly link: string }
  /** The button for a passkey; undefined where none is offered. */
  readonly passkey?: PasskeyForm | undefined
  /** Gives up: a form that answers the client with access_denied. */
  readonly cancel?: FormTarget | undefined
}

/** Where a person signs in. The typed username is kept; a problem stands beside the fields. */
export function signInPage(model: SignInModel): string {
  const { password = 'shown', providers = [], problem } = model
  return pageDocument(
    model,
    problem === undefined ? 'Sign in' : 'Problem: Sign in',
    html`<h1>Sign in</h1>
${purpose(model)}
${password !== 'shown' && problem !== undefined && problemNotice(problem)}
${providers.length > 0 && providerLinks(providers)}
${password === 'shown' && form(model.form, passwordFields(model))}
${model.passkey && passkeyForm(model.passkey, 'Use a passkey')}
${typeof password === 'object' && html`<p class="after"><a href="${href(password.link) ?? '/account'}">Sign in with a password</a></p>`}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}

function passwordFields({ username, problem, passkey }: SignInModel): Html {
  const known = username !== ''
  return html`${problem !== undefined && problemNotice(problem)}
${field({ name: 'username', label: 'Username', type: 'text', autocomplete: passkey === undefined ? 'username' : 'username webauthn', value: username, maxLength: 256, focused: !known })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', maxLength: 1024, focused: known })}
<div class="actions"><button class="button primary" type="submit">Sign in</button></div>`
}

function purpose({ client, resources }: SignInModel): Html {
  if (client === undefined) return html`<p class="lead">to see your account and the apps connected to it.</p>`
  const names = resources.map((name) => html`<strong>${plainWords(name, 100)}</strong>`)
  const list = names.map((name, index) => html`${separator(index, names.length)}${name}`)
  if (client.isHost === true)
    return html`<p class="lead">to open ${list.length > 0 && html`${list} at `}${clientNamed(client)}.</p>`
  return html`<p class="lead">to go on to ${clientNamed(client)}${list.length > 0 && html`, which asks for ${list}`}.</p>`
}

function separator(index: number, count: number): string {
  if (index === 0) return ''
  return index === count - 1 ? ' and ' : ', '
}

interface SignOutModel extends PageFrame {
  /** Takes `logout=yes` from one button, nothing from the other. */
  readonly form: FormTarget
  /** Undefined when nobody is signed in. */
  readonly account: PageAccount | undefined
  /** Who asked for it; undefined: the person, from here. */
  readonly client: PageClient | undefined
}

/** Asks before a sign-out: a link elsewhere must not sign people out (OpenID Connect RP-Initiated Logout §2). */
export function signOutPage(model: SignOutModel): string {
  const buttons = html`<div class="actions">
<button class="button primary" type="submit" name="logout" value="yes">Sign out</button>
<button class="button" type="submit">Stay signed in</button>
</div>`
  return pageDocument(
    model,
    'Sign out?',
    html`<h1>Sign out?</h1>
${model.account && accountLine(model.account, undefined)}
${model.client && html`<p>${clientNamed(model.client)} asks to sign you out here.</p>`}
<p>This browser forgets who you are. Apps that are connected to your account stay connected until you disconnect them there.</p>
${form(model.form, buttons)}`,
  )
}

interface SignedOutModel extends PageFrame {
  /** Where to go next: a registered address of the client that asked. Other than http(s) and own paths it is left out. */
  readonly next: { readonly url: string; readonly name: string } | undefined
}

/** The end of a session in this browser. */
export function signedOutPage(model: SignedOutModel): string {
  const link = model.next && href(model.next.url)
  return pageDocument(
    model,
    'Signed out',
    html`<h1>You are signed out</h1>
<p class="lead">This browser no longer knows who you are. You can close this page.</p>
${link !== undefined && model.next && html`<p><a class="button" href="${link}">Go on to <bdi>${clientName(model.next.name)}</bdi></a></p>`}
<p><a href="/account">Sign in again</a></p>`,
  )
}
