import { REVEAL_SCRIPT_PATH } from './assets.ts'
import { attributes, type Html, html } from './html.ts'
import { plainWords } from './words.ts'

/** Where a form leads. Every page's forms are POSTs; the model brings the address and what goes along unseen. */
export interface FormTarget {
  readonly action: string
  /** Hidden fields, the anti-forgery value among them. */
  readonly hidden: Readonly<Record<string, string>>
}

interface Field {
  readonly name: string
  readonly label: string
  readonly type: 'text' | 'password'
  readonly autocomplete: string
  readonly value?: string | undefined
  /** Said below the field, always. */
  readonly hint?: string | undefined
  /** What was wrong with it; said beside the field. */
  readonly problem?: string | undefined
  readonly focused?: boolean | undefined
  readonly inputMode?: string | undefined
  readonly maxLength: number
  readonly minLength?: number | undefined
  /** Letters and digits that are read out and typed over: set in a typewriter face. */
  readonly code?: boolean | undefined
}

/** A POST form with its hidden fields. */
export function form(target: FormTarget, content: Html, className = 'form', id?: string): Html {
  const hidden = Object.entries(target.hidden).map(([name, value]) => hiddenField(name, value))
  return html`<form ${attributes({ id, class: className })} method="post" action="${target.action}">${hidden}${content}</form>`
}

/**
 * A labelled field, with its hint and problem tied to it for screen readers. `name` serves as its id: once a page. A new password can be shown
 * where scripts run.
 */
export function field(of: Field): Html {
  const describedBy = [of.hint && `${of.name}-hint`, of.problem && `${of.name}-problem`].filter(Boolean).join(' ')
  const input = attributes({
    id: of.name,
    name: of.name,
    type: of.type,
    class: of.code === true ? 'input code' : 'input',
    value: of.value,
    autocomplete: of.autocomplete,
    autocapitalize: 'none',
    spellcheck: 'false',
    inputmode: of.inputMode,
    maxlength: String(of.maxLength),
    minlength: of.minLength === undefined ? undefined : String(of.minLength),
    required: true,
    autofocus: of.focused,
    'aria-invalid': of.problem === undefined ? undefined : 'true',
    'aria-describedby': describedBy === '' ? undefined : describedBy,
  })
  return html`<div class="field">
<label for="${of.name}">${of.label}</label>
<input ${input}>
${of.hint !== undefined && html`<p class="hint" id="${of.name}-hint">${of.hint}</p>`}
${of.problem !== undefined && html`<p class="problem" id="${of.name}-problem" role="alert">${plainWords(of.problem, 500)}</p>`}
</div>${
    of.autocomplete === 'new-password' &&
    html`
<script type="module" src="${REVEAL_SCRIPT_PATH}"></script>`
  }`
}

export function hiddenField(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}">`
}

/**
 * The two answers to a question: `decision=approve` and `decision=deny`. None is focused, and the Enter key alone gives none, so
 * nobody is tricked into approving by holding a key down: it presses the form's first button, which nobody sees and which says
 * nothing. A form without `decision` is no answer; the page is to be shown again.
 */
export function decision(labels: { readonly approve: string; readonly deny: string }): Html {
  return html`<div class="actions">
<button type="submit" hidden></button>
<button class="button primary" type="submit" name="decision" value="approve">${labels.approve}</button>
<button class="button" type="submit" name="decision" value="deny">${labels.deny}</button>
</div>`
}
