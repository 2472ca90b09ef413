import { type FormTarget, form } from './form.ts'
import { html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { accountLine, clientNamed, type PageAccount, type PageClient } from './parties.ts'

export interface UnmetModel extends PageFrame {
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

/** Says that the account can't sign in the way that is asked for, what would change that, and the way back to the client. */
export function unmetPage(model: UnmetModel): string {
  const advice = model.enrols
    ? html`<p>Add an authenticator app under <a href="/account">your account</a>, then go on here.</p>`
    : html`<p>Whoever runs this service can help you to a second way to sign in.</p>`
  return pageDocument(
    model,
    'A stronger sign-in is needed',
    html`<h1>A stronger sign-in is needed</h1>
${accountLine(model.account, model.switchAccount)}
<p>${clientNamed(model.client)} asks for something that a password alone does not open, and your account has no second way to show that it is you.</p>
${advice}
<hr class="tear">
${form(model.again, html`<div class="actions"><button class="button primary" type="submit">I have added it, go on</button></div>`)}
${form(model.form, html`<div class="actions"><button class="button" type="submit" name="decision" value="deny">Go back to ${clientNamed(model.client)}</button></div>`, 'form after')}`,
  )
}
