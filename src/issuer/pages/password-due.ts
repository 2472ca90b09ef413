import { type FormTarget, form } from './form.ts'
import { html } from './html.ts'
import { type Notice, notices, type PageFrame, pageDocument } from './layout.ts'
import { accountLine, type PageAccount, switchForm } from './parties.ts'
import { type PasswordFormModel, passwordForm } from './password-form.ts'

export interface PasswordDueModel extends PageFrame {
  readonly account: PageAccount
  /** Goes on with what was begun, once the password is new. */
  readonly goOn: FormTarget
  readonly switchAccount: FormTarget
}

/** Within an authorization: a new password comes first. */
export function passwordDuePage(model: PasswordDueModel): string {
  return pageDocument(
    model,
    'Choose a new password first',
    html`<h1>Choose a new password first</h1>
${accountLine(model.account, model.switchAccount)}
<p>Somebody else has been signed in as you. Choose a new password under <a href="/account">your account</a>, then go on here.</p>
<hr class="tear">
${form(model.goOn, html`<div class="actions"><button class="button primary" type="submit">I have a new password, go on</button></div>`)}
${switchForm(model.switchAccount)}`,
  )
}

export interface NewPasswordModel extends PageFrame {
  readonly account: PageAccount
  readonly notices: readonly Notice[]
  readonly password: PasswordFormModel
  readonly signOut: FormTarget
}

/** The account page of somebody who has to choose a new password before anything else. */
export function newPasswordPage(model: NewPasswordModel): string {
  const problem = model.password.problem !== undefined || model.notices.some(({ kind }) => kind === 'problem')
  return pageDocument(
    model,
    problem ? 'Problem: Choose a new password' : 'Choose a new password',
    html`<h1>Choose a new password</h1>
${accountLine(model.account, undefined)}
${notices(model.notices)}
<p>Somebody else may know the one that you have. Nothing else can be done here before it is changed. Everything else of yours is signed out then, connected apps too.</p>
${passwordForm(model.password, model.account.username)}
${form(model.signOut, html`<button class="button link" type="submit">Sign out in this browser</button>`, 'inline after')}`,
  )
}
