import { accountLine, type PageAccount } from './account-line.ts'
import { clientNamed, type PageClient } from './client.ts'
import { type FormTarget, form } from './form.ts'
import { href, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { clientName } from './plain-words.ts'

export interface SignOutModel extends PageFrame {
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

export interface SignedOutModel extends PageFrame {
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
