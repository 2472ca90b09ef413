import { attributes, type Html, html } from './html.ts'
import { plainWords } from './plain-words.ts'

/** One scope as it is offered. */
export interface PageScope {
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
