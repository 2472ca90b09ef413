import { type FormTarget, field, form } from './form.ts'
import { href, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'
import { plainWords } from './words.ts'

/** What is asked before a factor goes. */
export interface RemoveFactorModel extends PageFrame {
  /** Takes `decision=approve`, and what `password` says. */
  readonly form: FormTarget
  readonly account: PageAccount
  /** What goes, at the beginning of a sentence. */
  readonly what: string
  /** What is asked of the password, which alone opens the account then: `current_password`; a longer one, too; or nothing. */
  readonly password: 'none' | 'current' | 'longer'
  /** The fewest characters of a password that stands alone. */
  readonly shortest: number
  readonly problem:
    | { readonly field: 'current_password' | 'new_password' | 'repeat_password'; readonly text: string }
    | undefined
  readonly cancelUrl: string
}

/** Asks once before a factor goes. */
export function removeFactorPage(model: RemoveFactorModel): string {
  const { what, password, problem, shortest } = model
  const of = (name: string) => (problem?.field === name ? problem.text : undefined)
  const common = { type: 'password', maxLength: 1024 } as const
  const title = `Remove ${what.replace(/^The/, 'the')}?`
  const next = { ...common, autocomplete: 'new-password', minLength: shortest }
  return pageDocument(
    model,
    problem === undefined ? title : `Problem: ${title}`,
    html`<h1>${plainWords(title, 150)}</h1>
${accountLine(model.account, undefined)}
<ul class="reasons"><li>${plainWords(what, 100)} opens nothing here any more.</li>
${password !== 'none' && html`<li>Your password alone opens your account then, and your recovery codes open nothing.</li>`}
${password === 'longer' && html`<li>Your password is too short to stand alone: choose one of at least ${shortest} characters.</li>`}</ul>
${form(
  model.form,
  html`<input type="text" name="username" value="${model.account.username}" autocomplete="username" hidden>
${password !== 'none' && field({ ...common, name: 'current_password', label: 'Your password', autocomplete: 'current-password', problem: of('current_password') })}
${password === 'longer' && field({ ...next, name: 'new_password', label: 'New password', hint: `At least ${shortest} characters; a few words are best.`, problem: of('new_password') })}
${password === 'longer' && field({ ...next, name: 'repeat_password', label: 'New password, once more', problem: of('repeat_password') })}
<div class="actions"><button class="button danger" type="submit" name="decision" value="approve">Remove</button>
<a class="button" href="${href(model.cancelUrl) ?? '/account'}">No, go back</a></div>`,
)}`,
  )
}
