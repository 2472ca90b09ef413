import { type FormTarget, form } from './form.ts'
import { html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'
import { type PasskeyForm, passkeyForm } from './passkey.ts'

export interface MustEnrolModel extends PageFrame {
  readonly account: PageAccount
  /** Makes a passkey; undefined: there are none to be had. */
  readonly passkey: PasskeyForm | undefined
  /** Leads to where an app is added; undefined: that can't be had. */
  readonly app: FormTarget | undefined
  readonly problem: string | undefined
  /** Gives up: a form that answers the client with access_denied. */
  readonly cancel: FormTarget | undefined
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
