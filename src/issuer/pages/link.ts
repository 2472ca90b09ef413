import { type FormTarget, field, form } from './form.ts'
import { html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountName, type PageAccount } from './parties.ts'
import { type PasskeyForm, passkeyForm } from './passkey.ts'
import { plainWords } from './words.ts'

/** What the page of a one-time link shows. */
export interface LinkModel extends PageFrame {
  /** The fewest characters of a password. */
  readonly shortest: number
  readonly kind: 'invite' | 'recover'
  readonly account: PageAccount
  /** Who made the link; undefined: whoever runs the gateway. */
  readonly from: string | undefined
  /** What the person may use then, in words. */
  readonly gives: readonly string[]
  /** Takes `new_password` and `repeat_password`. */
  readonly form: FormTarget
  /** Makes a passkey instead; undefined: that isn't to be had. */
  readonly passkey?: PasskeyForm | undefined
  /** A passkey came that was not accepted. */
  readonly refused?: boolean
  readonly problem: { readonly field: 'new_password' | 'repeat_password'; readonly text: string } | undefined
  /** There are too many who want something at the moment. */
  readonly busy: boolean
}

/** Where somebody sets the password that they sign in with from then on. */
export function linkPage(model: LinkModel): string {
  const { kind, account, problem, busy } = model
  const title = kind === 'invite' ? 'Set up your account' : 'Set a new password'
  const of = (name: string) => (problem?.field === name ? problem.text : undefined)
  const common = { type: 'password', autocomplete: 'new-password', maxLength: 1024, minLength: model.shortest } as const
  return pageDocument(
    model,
    problem === undefined ? title : `Problem: ${title}`,
    html`<h1>${title}</h1>
${busy && problemNotice('There were too many tries. Wait a moment, then try again.')}
${model.refused === true && problemNotice('That passkey was not accepted. Try again.')}
${lead(model)}
${model.passkey && passkeyForm(model.passkey, 'Make a passkey')}
${form(
  model.form,
  html`<input type="text" name="username" value="${account.username}" autocomplete="username" hidden>
${field({ ...common, name: 'new_password', label: 'New password', hint: `At least ${model.shortest} characters; a few words are best.`, problem: of('new_password'), focused: true })}
${field({ ...common, name: 'repeat_password', label: 'New password, once more', problem: of('repeat_password') })}
<div class="actions"><button class="button primary" type="submit">Set password</button></div>`,
  model.passkey === undefined ? 'form' : 'form after',
)}
<p class="hint">${kind === 'invite' ? 'This link works once. It does not sign you in: you do that next.' : 'Everything of yours that is signed in anywhere is signed out then. This link works once and does not sign you in.'}</p>`,
  )
}

function lead({ kind, account, from, gives, site }: LinkModel) {
  const who = html`<bdi class="name">${accountName(account)}</bdi>`
  const username = html`<strong>${plainWords(account.username, 64)}</strong>`
  if (kind === 'recover') {
    return html`<p class="lead">for ${who} at ${site}. You sign in as ${username}.</p>`
  }
  return html`<p class="lead">${from === undefined ? 'You are invited' : html`<bdi class="name">${plainWords(from, 100)}</bdi> invites you`} to ${site}, as ${who}. You sign in as ${username}.</p>
${gives.length > 0 && html`<p>You may then use:</p><ul>${gives.map((text) => html`<li>${plainWords(text, 200)}</li>`)}</ul>`}`
}
