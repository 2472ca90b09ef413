import { type FormTarget, form } from './form.ts'
import { html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, clientNamed, type PageAccount, type PageClient } from './parties.ts'
import { type PasskeyForm, passkeyForm } from './passkey.ts'
import { headingWords } from './words.ts'

interface UnmetModel extends PageFrame {
  /** Sends `decision=deny`: the client learns that the sign-in can't be had. */
  readonly form: FormTarget
  readonly client: PageClient
  readonly account: PageAccount
  readonly switchAccount: FormTarget
  /** Asks for the sign-in once more, when the account has got what it lacks. */
  readonly again: FormTarget
  /** Whether the person may add what is missing under their account. */
  readonly enrols: boolean
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

/** Says that the account can't sign in the way that is asked for, what would change that, and the way back to the client. */
export function unmetPage(model: UnmetModel): string {
  const advice = model.enrols
    ? html`<p>Add an authenticator app under <a href="/account">your account</a>, then go on here.</p>`
    : html`<p>Whoever runs this service can help you to a second way to sign in.</p>`
  return pageDocument(
    model,
    'A stronger sign-in is needed',
    html`<h1>${headingWords('A stronger sign-in is needed')}</h1>
${accountLine(model.account, model.switchAccount)}
<p>${clientNamed(model.client)} asks for something that a password alone does not open, and your account has no second way to show that it is you.</p>
${advice}
<hr class="tear">
${form(model.again, html`<div class="actions"><button class="button primary" type="submit">I have added it, go on</button></div>`)}
${form(model.form, html`<div class="actions"><button class="button" type="submit" name="decision" value="deny">Go back to ${clientNamed(model.client)}</button></div>`, 'form after')}`,
  )
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
${passkey && passkeyForm(passkey, 'Make a passkey')}
${app && form(app, html`<div class="actions"><button class="button" type="submit">Add an authenticator app</button></div>`, 'form after')}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}
