import { accountName, type PageAccount } from './account-line.ts'
import { connectedApps, type PageApp } from './connected-apps.ts'
import { type FormTarget, field, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { type Notice, notices } from './notice.ts'
import { plainWords } from './plain-words.ts'

export interface PasswordFormModel {
  /** Takes `current_password`, `new_password`, `repeat_password`. */
  readonly form: FormTarget
  readonly problem:
    | { readonly field: 'current_password' | 'new_password' | 'repeat_password'; readonly text: string }
    | undefined
}

export interface AccountModel extends PageFrame {
  readonly account: PageAccount & {
    readonly email: string | undefined
    readonly groups: readonly string[]
  }
  /** What the last act did, newest first. */
  readonly notices: readonly Notice[]
  /** Consents and authorizations by client; one that holds nothing alive is listed as long as its consent stands. */
  readonly apps: readonly PageApp[]
  /** Undefined for an account that can't sign in by password. */
  readonly password: PasswordFormModel | undefined
  readonly signOut: FormTarget
  readonly signOutEverywhere: FormTarget
  /** NumericDate, seconds. */
  readonly now: number
}

/** Who I am, what is connected to my account, and the ways to end it. */
export function accountPage(model: AccountModel): string {
  const problem = model.password?.problem !== undefined || model.notices.some(({ kind }) => kind === 'problem')
  return pageDocument(
    model,
    problem ? 'Problem: Your account' : 'Your account',
    html`<h1>Your account</h1>
${notices(model.notices)}
${whoIAm(model)}
${connectedApps(model.apps, model.now)}
${model.password && passwordSection(model.password, model.account.username)}
${everywhere(model.signOutEverywhere)}`,
    'wide',
  )
}

function whoIAm({ account, signOut }: AccountModel): Html {
  const groups = account.groups.map((group) => html`<li>${plainWords(group, 100)}</li>`)
  return html`<section aria-labelledby="who">
<h2 id="who">Who you are</h2>
<dl class="facts">
<div><dt>Account</dt><dd><bdi class="name">${accountName(account)}</bdi></dd></div>
${account.email !== undefined && html`<div><dt>Email</dt><dd>${plainWords(account.email, 254)}</dd></div>`}
<div><dt>Groups</dt><dd>${groups.length > 0 ? html`<ul class="tags">${groups}</ul>` : 'none'}</dd></div>
</dl>
${form(signOut, html`<button class="button" type="submit">Sign out in this browser</button>`)}
</section>`
}

function passwordSection({ form: target, problem }: PasswordFormModel, username: string): Html {
  const of = (name: string) => (problem?.field === name ? problem.text : undefined)
  const current = { name: 'current_password', label: 'Password now', autocomplete: 'current-password' }
  const next = { name: 'new_password', label: 'New password', autocomplete: 'new-password' }
  const repeat = { name: 'repeat_password', label: 'New password, once more', autocomplete: 'new-password' }
  const common = { type: 'password', maxLength: 1024 } as const
  return html`<section aria-labelledby="password">
<h2 id="password">Change your password</h2>
<p>Everything else of yours is signed out then, connected apps too. You stay signed in here.</p>
${form(
  target,
  html`<input type="text" name="username" value="${username}" autocomplete="username" hidden>
${field({ ...current, ...common, problem: of(current.name), focused: problem?.field === current.name })}
${field({ ...next, ...common, minLength: 8, hint: 'At least 8 characters; longer is better.', problem: of(next.name), focused: problem?.field === next.name })}
${field({ ...repeat, ...common, minLength: 8, problem: of(repeat.name), focused: problem?.field === repeat.name })}
<div class="actions"><button class="button primary" type="submit">Change password</button></div>`,
)}
</section>`
}

function everywhere(target: FormTarget): Html {
  return html`<section aria-labelledby="everywhere">
<h2 id="everywhere">Sign out everywhere</h2>
<p>Ends every session and disconnects every device. Apps keep your consent, but have to ask you to sign in again.</p>
${form(target, html`<button class="button danger" type="submit">Sign out everywhere</button>`)}
</section>`
}
