import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, clientNamed, type PageAccount, type PageClient, switchForm } from './parties.ts'
import { type PasskeyForm, passkeyForm, withoutPasskey } from './passkey.ts'
import { headingWords } from './words.ts'

interface UnmetModel extends PageFrame {
  /** Sends `decision=deny`: the client learns that the sign-in can't be had. */
  readonly form: FormTarget
  readonly client: PageClient
  readonly account: PageAccount
  readonly switchAccount: FormTarget
  /** Asks for the sign-in once more, when the account has got what it lacks. */
  readonly again: FormTarget
  /** Makes a passkey; undefined: that can't be had, or would not do. */
  readonly passkey: PasskeyForm | undefined
  /** Leads to where an app is added; undefined: that can't be had, or would not do. */
  readonly app: FormTarget | undefined
  /** What the person may add under their account, after a fresh sign-in; undefined: nothing that would do. */
  readonly elsewhere: 'a passkey' | 'a second factor' | undefined
  /** The person came by a provider, which says how they signed in there. */
  readonly byProvider: boolean
  readonly problem: string | undefined
}

interface MustEnrolModel extends PageFrame {
  readonly account: PageAccount
  /** Makes a passkey; undefined: there are none to be had. */
  readonly passkey: PasskeyForm | undefined
  /** Leads to where an app is added; undefined: that can't be had. */
  readonly app: FormTarget | undefined
  readonly problem: string | undefined
  /** Gives up: a form that answers the client with access_denied. */
  readonly cancel: FormTarget | undefined
}

const STRONGER = 'A stronger sign-in is needed'
const NO_PASSKEY_HERE = 'This browser can’t make passkeys, or runs no scripts here.'

/** Says that the account can't sign in the way that is asked for, what would change that, and the way back to the client. */
export function unmetPage(model: UnmetModel): string {
  const { problem } = model
  return pageDocument(
    model,
    problem === undefined ? STRONGER : `Problem: ${STRONGER}`,
    html`<h1>${headingWords(STRONGER)}</h1>
${accountLine(model.account, model.switchAccount)}
<p>${clientNamed(model.client)} asks for a stronger sign-in than your account has a way for.</p>
${problem !== undefined && problemNotice(problem)}
${model.app !== undefined || model.passkey !== undefined ? additions(model) : advice(model)}
${form(model.form, html`<div class="actions"><button class="button" type="submit" name="decision" value="deny">Go back${model.client.isHost === true ? '' : html` to ${clientNamed(model.client)}`}</button></div>`, 'form after')}
${switchForm(model.switchAccount)}`,
  )
}

function additions({ app, passkey }: UnmetModel): Html {
  return html`<p>Add ${app === undefined ? 'a passkey' : 'a second factor'} now, then you go on.</p>
${passkey && app === undefined && withoutPasskey(NO_PASSKEY_HERE)}
${passkey && passkeyForm(passkey, 'Make a passkey')}
${app && form(app, html`<div class="actions"><button class="button" type="submit">Add an authenticator app</button></div>`, 'form after')}`
}

function advice({ elsewhere, byProvider, again, client }: UnmetModel): Html {
  return html`${elsewhere === undefined ? nothingToAdd(byProvider) : html`<p>Add ${elsewhere} under <a href="/account">your account</a>, then go on here.</p>`}
<hr class="tear">
${form(again, html`<div class="actions"><button class="button primary" type="submit">${elsewhere === undefined ? 'Sign in again' : 'I have added it, go on'}</button></div>`)}
<p class="after">Or go back: ${clientNamed(client)} is told that it can’t be had, and you stay signed in.</p>`
}

function nothingToAdd(byProvider: boolean): Html {
  return html`<p>There is nothing that you can add here by yourself.</p>
<ul class="reasons"><li>Ask whoever runs this service for a recovery link: it lets you set up another way to sign in. Then sign in again.</li>
${byProvider && html`<li>Or sign in again, and use more than a password at the place that you sign in with, if it can do that.</li>`}</ul>`
}

/** Where somebody who must have a second factor adds the first one: nothing else is open before. */
export function mustEnrolPage(model: MustEnrolModel): string {
  const { passkey, app, problem } = model
  const nothing = passkey === undefined && app === undefined
  return pageDocument(
    model,
    problem === undefined ? 'Add a second factor' : 'Problem: Add a second factor',
    html`<h1>Add a second factor</h1>
${accountLine(model.account, undefined)}
<p class="lead">Your account needs more than a password. Add it now, then you go on.</p>
${problem !== undefined && problemNotice(problem)}
${nothing && html`<p class="notice problem" role="alert">There is nothing here that you could add. Whoever runs this service can mend that.</p>`}
${passkey && app === undefined && withoutPasskey(NO_PASSKEY_HERE)}
${passkey && passkeyForm(passkey, 'Make a passkey')}
${app && form(app, html`<div class="actions"><button class="button" type="submit">Add an authenticator app</button></div>`, 'form after')}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}
