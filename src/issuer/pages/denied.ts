import { accountLine, type PageAccount, switchForm } from './account-line.ts'
import { clientNamed, type PageClient } from './client.ts'
import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { plainWords } from './plain-words.ts'

/** A resource that this person may not have, and what would change that. */
export interface DeniedResource {
  readonly name: string
  readonly identifier: string
  /** Groups that give some of what was asked for; none: nobody may have it. */
  readonly groups: readonly string[]
}

export interface DeniedModel extends PageFrame {
  /** Sends `decision=deny`: the client gets access_denied. */
  readonly form: FormTarget
  readonly client: PageClient
  readonly account: PageAccount
  readonly switchAccount: FormTarget | undefined
  readonly resources: readonly DeniedResource[]
}

/** Why this person may have none of what was asked for, which groups would do, and the way back to the client. */
export function deniedPage(model: DeniedModel): string {
  return pageDocument(
    model,
    'No access',
    html`<h1>You don’t have access</h1>
${accountLine(model.account, model.switchAccount)}
<p>${clientNamed(model.client)} asks for access that your account may not give:</p>
<ul class="reasons">${model.resources.map(reason)}</ul>
<p>Whoever runs this service decides who is in which group. Ask them, or sign in with another account.</p>
<hr class="tear">
${form(model.form, html`<div class="actions"><button class="button primary" type="submit" name="decision" value="deny">Go back to ${clientNamed(model.client)}</button></div>`)}
${switchForm(model.switchAccount)}`,
  )
}

function reason({ name, identifier, groups }: DeniedResource): Html {
  const shown = groups.map((group, index) => {
    const before = index === 0 ? '' : index === groups.length - 1 ? ' or ' : ', '
    return html`${before}<strong class="group">${plainWords(group, 100)}</strong>`
  })
  const why =
    groups.length === 0
      ? html`No group is given what was asked for.`
      : html`It is for people in the group ${shown}, and you are not in ${groups.length === 1 ? 'it' : 'any of them'}.`
  return html`<li><strong>${plainWords(name, 100)}</strong> <span class="identifier">${plainWords(identifier, 200)}</span><br>${why}</li>`
}
