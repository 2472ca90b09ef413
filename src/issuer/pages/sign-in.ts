import { clientNamed, type PageClient } from './client.ts'
import { type FormTarget, field, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { problemNotice } from './notice.ts'
import { plainWords } from './plain-words.ts'

export interface SignInModel extends PageFrame {
  /** Takes `username` and `password`. */
  readonly form: FormTarget
  /** Who asks; undefined when the person wants to see their own account. */
  readonly client: PageClient | undefined
  /** Names of the resources asked for. */
  readonly resources: readonly string[]
  /** As typed before, or the client's hint; '' for none. */
  readonly username: string
  /** What went wrong with the last try; the same words for an unknown name and a wrong password. */
  readonly problem: string | undefined
  /** Gives up: a form that answers the client with access_denied. */
  readonly cancel?: FormTarget | undefined
}

/** Where a person signs in. The typed username is kept; a problem stands beside the fields. */
export function signInPage(model: SignInModel): string {
  const known = model.username !== ''
  const fields = html`${model.problem !== undefined && problemNotice(model.problem)}
${field({ name: 'username', label: 'Username', type: 'text', autocomplete: 'username', value: model.username, maxLength: 256, focused: !known })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', maxLength: 1024, focused: known })}
<div class="actions"><button class="button primary" type="submit">Sign in</button></div>`
  return pageDocument(
    model,
    model.problem === undefined ? 'Sign in' : 'Problem: Sign in',
    html`<h1>Sign in</h1>
${purpose(model)}
${form(model.form, fields)}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}

function purpose({ client, resources }: SignInModel): Html {
  if (client === undefined) return html`<p class="lead">to see your account and the apps connected to it.</p>`
  const names = resources.map((name) => html`<strong>${plainWords(name, 100)}</strong>`)
  const list = names.map((name, index) => html`${separator(index, names.length)}${name}`)
  return html`<p class="lead">to go on to ${clientNamed(client)}${list.length > 0 && html`, which asks for ${list}`}.</p>`
}

function separator(index: number, count: number): string {
  if (index === 0) return ''
  return index === count - 1 ? ' and ' : ', '
}
