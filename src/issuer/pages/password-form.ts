import { type FormTarget, field, form } from './form.ts'
import { type Html, html } from './html.ts'

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
