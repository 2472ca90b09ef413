import { decision, type FormTarget, form } from './form.ts'
import { attributes, type Html, html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, clientFacts, clientNamed, type PageAccount, type PageClient, switchForm } from './parties.ts'
import { plainWords } from './words.ts'

/** One scope as it is offered. */
interface PageScope {
  /** The scope-token; the box's value. */
  readonly scope: string
  /** In words, from routes.yaml. */
  readonly description: string
  /** Why this person can't have it, as a sentence; undefined: on offer. */
  readonly unavailable?: string | undefined
  /** Whether the box starts ticked; ignored for what is unavailable and where nothing is left to choose. */
  readonly ticked: boolean
}

/** A resource (or, with identifier '', the person's own details by OpenID Connect) and what is asked of it. */
export interface PageResource {
  readonly name: string
  /** The resource identifier; '' for none. */
  readonly identifier: string
  readonly scopes: readonly PageScope[]
}

/** Each resource with its scopes: a box each, or (`choosable` false) as a plain list, where it is all or nothing. */
export function resourceList(resources: readonly PageResource[], choosable: boolean): Html {
  const groups = resources.map(
    (resource) => html`<fieldset class="resource">
<legend>${plainWords(resource.name, 100)}</legend>
${resource.identifier !== '' && html`<p class="identifier">${plainWords(resource.identifier, 200)}</p>`}
<ul class="scopes">${resource.scopes.map((scope) => item(scope, choosable))}</ul>
</fieldset>`,
  )
  return html`${groups}`
}

function item(scope: PageScope, choosable: boolean): Html {
  if (scope.unavailable !== undefined) return unavailableItem(scope, scope.unavailable)
  if (!choosable) return html`<li class="scope given"><span class="what">${words(scope)}</span></li>`
  const box = attributes({ type: 'checkbox', name: 'scope', value: scope.scope, checked: scope.ticked })
  return html`<li class="scope"><label><input ${box}><span class="what">${words(scope)}</span></label></li>`
}

function unavailableItem(scope: PageScope, reason: string): Html {
  return html`<li class="scope missing"><span class="what">${words(scope)}
<span class="reason"><strong>Not available to you.</strong> ${plainWords(reason, 300)}</span></span></li>`
}

function words(scope: PageScope): Html {
  const code = plainWords(scope.scope, 100)
  return html`${plainWords(scope.description, 200, code)} <code>${code}</code>`
}

interface ConsentModel extends PageFrame {
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
<p>It asks for what is listed here. It gets only what is ticked.</p>
${form(model.form, question)}
${switchForm(model.switchAccount)}`,
  )
}

function remembrance(remembered: boolean): Html {
  const again = remembered ? 'Your answer is remembered.' : 'You will be asked again next time.'
  return html`${again} You can take it back at any time under <a href="/account">your account</a>.`
}

/** A resource that this person may not have, and what would change that. */
interface DeniedResource {
  readonly name: string
  readonly identifier: string
  /** Groups that give some of what was asked for; none: nobody may have it. */
  readonly groups: readonly string[]
  /** What is missing is a second way to sign in. */
  readonly level?: boolean
}

interface DeniedModel extends PageFrame {
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
<p>${
      model.client.isHost === true
        ? html`Your account may not open ${clientNamed(model.client)}:`
        : html`${clientNamed(model.client)} asks for access that your account may not give:`
    }</p>
<ul class="reasons">${model.resources.map(reason)}</ul>
<p>Whoever runs this service decides who is in which group. Ask them, or sign in with another account.</p>
<hr class="tear">
${form(model.form, html`<div class="actions"><button class="button primary" type="submit" name="decision" value="deny">Go back${model.client.isHost === true ? '' : html` to ${clientNamed(model.client)}`}</button></div>`)}
${switchForm(model.switchAccount)}`,
  )
}

function reason({ name, identifier, groups, level = false }: DeniedResource): Html {
  const shown = groups.map((group, index) => {
    const before = index === 0 ? '' : index === groups.length - 1 ? ' or ' : ', '
    return html`${before}<strong class="group">${plainWords(group, 100)}</strong>`
  })
  const why = level
    ? html`It needs a better sign-in than your account can do. Add a second one under <a href="/account">your account</a>.`
    : groups.length === 0
      ? html`No group is given what was asked for.`
      : html`It is for people in the group ${shown}, and you are not in ${groups.length === 1 ? 'it' : 'any of them'}.`
  return html`<li><strong>${plainWords(name, 100)}</strong> <span class="identifier">${plainWords(identifier, 200)}</span><br>${why}</li>`
}
