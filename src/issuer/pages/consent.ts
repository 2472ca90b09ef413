import { accountLine, type PageAccount, switchForm } from './account-line.ts'
import { clientFacts, clientNamed, type PageClient } from './client.ts'
import { decision, type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { problemNotice } from './notice.ts'
import { type PageResource, resourceList } from './resource-list.ts'

export interface ConsentModel extends PageFrame {
  /** Takes any number of `scope` and one `decision`. */
  readonly form: FormTarget
  readonly client: PageClient
  readonly account: PageAccount
  readonly switchAccount: FormTarget | undefined
  readonly resources: readonly PageResource[]
  /** Whether the answer is kept, so that the same isn't asked again. */
  readonly remembered: boolean
  readonly problem: string | undefined
}

/** What a client asks for, with a box for each scope: everything, part of it, or nothing. */
export function consentPage(model: ConsentModel): string {
  const name = clientNamed(model.client)
  const question = html`${resourceList(model.resources, true)}
${model.problem !== undefined && problemNotice(model.problem)}
<p class="hint">${remembrance(model.remembered)}</p>
<hr class="tear">
${decision({ approve: 'Allow what is ticked', deny: 'Don’t allow' })}`
  return pageDocument(
    model,
    model.problem === undefined ? 'Allow access?' : 'Problem: Allow access?',
    html`<h1>Allow ${name} to act for you?</h1>
${accountLine(model.account, model.switchAccount)}
${clientFacts(model.client)}
<p>It asks for what is listed here. Untick what it should not have.</p>
${form(model.form, question)}
${switchForm(model.switchAccount)}`,
  )
}

function remembrance(remembered: boolean): Html {
  const again = remembered ? 'Your answer is remembered.' : 'You will be asked again next time.'
  return html`${again} You can take it back at any time under <a href="/account">your account</a>.`
}
