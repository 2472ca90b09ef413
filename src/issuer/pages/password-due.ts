import { type FormTarget, field, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type Notice, notices, type PageFrame, pageDocument } from './layout.ts'
import { accountLine, type PageAccount, switchForm } from './parties.ts'

/** What is shown to somebody whose password has to be another one first. */
interface PasswordDueModel extends PageFrame {
  readonly account: PageAccount
  /** Goes on with what was begun, once the password is new. */
  readonly goOn: FormTarget
  readonly switchAccount: FormTarget
}

export interface PasswordFormModel {
  /** Whether app passwords may be kept. */
  readonly mayKeep: boolean
  /** The fewest characters of a new one. */
  readonly shortest: number
  /** Takes `current_password`, `new_password`, `repeat_password`. */
  readonly form: FormTarget
  readonly problem:
    | { readonly field: 'current_password' | 'new_password' | 'repeat_password'; readonly text: string }
    | undefined
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

interface NewPasswordModel extends PageFrame {
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

/** The fields that change a password; the one in force is asked for. */
export function passwordForm({ form: target, problem, shortest, mayKeep }: PasswordFormModel, username: string): Html {
  const of = (name: string) => (problem?.field === name ? problem.text : undefined)
  const current = { name: 'current_password', label: 'Password now', autocomplete: 'current-password' }
  const next = { name: 'new_password', label: 'New password', autocomplete: 'new-password' }
  const repeat = { name: 'repeat_password', label: 'New password, once more', autocomplete: 'new-password' }
  const common = { type: 'password', maxLength: 1024 } as const
  return form(
    target,
    html`<input type="text" name="username" value="${username}" autocomplete="username" hidden>
${field({ ...current, ...common, problem: of(current.name), focused: problem?.field === current.name })}
${field({ ...next, ...common, minLength: shortest, hint: `At least ${shortest} characters; a few words are best.`, problem: of(next.name), focused: problem?.field === next.name })}
${field({ ...repeat, ...common, minLength: shortest, problem: of(repeat.name), focused: problem?.field === repeat.name })}
${mayKeep && html`<label class="choice"><input type="checkbox" name="keep_app_passwords" value="yes"> Keep my app passwords</label>`}
<div class="actions"><button class="button primary" type="submit">Change password</button></div>`,
  )
}
