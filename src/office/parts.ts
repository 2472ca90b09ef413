import { attributes, type Html, html } from '../issuer/pages/html.ts'
import { plainWords } from '../issuer/pages/words.ts'

/** Text from outside in one line, kept apart in reading direction. */
export function said(text: string | null | undefined, max = 200): Html {
  return html`<bdi>${plainWords(text ?? '', max, '–')}</bdi>`
}

/** What machines wrote: ids, paths, hosts. */
export function code(text: string | null | undefined, max = 300): Html {
  return html`<code>${plainWords(text ?? '', max, '–')}</code>`
}

/** A time of the API's, told relatively where scripts run. */
export function moment(iso: string | null | undefined): Html {
  if (iso === undefined || iso === null || Number.isNaN(Date.parse(iso))) return html`never`
  const at = new Date(iso).toISOString()
  return html`<time datetime="${at}" title="${at}" data-relative="">${at.slice(0, 19).replace('T', ' ')}</time>`
}

const STATES: Readonly<Record<string, readonly [className: string, word: string]>> = {
  ok: ['ok', 'ok'],
  active: ['ok', 'active'],
  up: ['ok', 'up'],
  refused: ['refused', 'refused'],
  pending: ['refused', 'pending'],
  retiring: ['off', 'retiring'],
  failed: ['failed', 'failed'],
  down: ['failed', 'down'],
  revoked: ['failed', 'revoked'],
  disabled: ['off', 'disabled'],
}

/** A state as a sign and a word: never by colour alone. */
export function stateOf(state: string, more = ''): Html {
  const [className, word] = STATES[state] ?? ['off', state.replaceAll('_', ' ')]
  return html`<span class="state ${className}">${plainWords(`${word} ${more}`, 100)}</span>`
}

/** An outcome by its sign, with the reason in the place of the word. */
export function verdictOf(outcome: string, reason: string | null | undefined): Html {
  const [className, word] = STATES[outcome] ?? ['off', outcome.replaceAll('_', ' ')]
  return html`<span class="state ${className}">${plainWords(reason ?? word, 100)}</span>`
}

export interface Column<Row> {
  readonly label: string
  readonly cell: (row: Row) => Html
  readonly kind?: 'name' | 'number' | 'long' | 'short' | 'act'
}

/** Rows with heads; on narrow screens each row is a card. @param bodyId of a table that a script adds rows to: it is there without rows, too. */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  empty: Html,
  bodyId?: string,
): Html {
  if (rows.length === 0 && bodyId === undefined) return html`<div class="empty">${empty}</div>`
  const heads = columns.map(({ label, kind }) => html`<th ${attributes({ scope: 'col', class: kind })}>${label}</th>`)
  const body = rows.map(
    (row) =>
      html`<tr>${columns.map(({ label, cell, kind }) =>
        kind === 'name'
          ? html`<th scope="row">${cell(row)}</th>`
          : html`<td ${attributes({ class: kind, 'data-label': label })}>${cell(row)}</td>`,
      )}</tr>`,
  )
  return html`<div class="scroll"><table aria-label="${caption}"><thead><tr>${heads}</tr></thead><tbody ${attributes({ id: bodyId })}>${body}</tbody></table></div>`
}

/** A field of a filter bar. */
export interface FilterField {
  readonly name: string
  readonly label: string
  readonly options?: readonly string[]
  /** The word for none of the options. */
  readonly none?: string
  /** A day and hour, in UTC. */
  readonly time?: true
  /** For what is long, such as a URL. */
  readonly wide?: true
}

/** A GET form: what it finds is in the address. */
export function filters(action: string, fields: readonly FilterField[], query: URLSearchParams, button = 'Show'): Html {
  const inputs = fields.map(({ name, label, options, none = 'any', time, wide }) => {
    const value = query.get(name) ?? ''
    const type = time === true ? 'datetime-local' : undefined
    const shown = time === true ? value.slice(0, 16) : value
    const input =
      options === undefined
        ? html`<input ${attributes({ class: wide === true ? 'input wide' : 'input', id: `f-${name}`, name, type, value: shown, maxlength: wide === true ? '4096' : '256' })}>`
        : html`<select ${attributes({ class: wide === true ? 'wide' : undefined, id: `f-${name}`, name })}><option value="">${none}</option>${options.map(
            (option) => html`<option ${attributes({ value: option, selected: option === value })}>${option}</option>`,
          )}</select>`
    return html`<div><label for="${`f-${name}`}">${label}</label>${input}</div>`
  })
  return html`<form class="filters" method="get" action="${action}">${inputs}<button class="button" type="submit">${button}</button></form>`
}

/** The way to what follows, with the same filter. */
export function pager(action: string, query: URLSearchParams, next: string | undefined): Html {
  if (next === undefined) return html``
  const on = new URLSearchParams(query)
  on.set('cursor', next)
  return html`<p class="pager"><a href="${`${action}?${on}`}">Older or further ›</a></p>`
}

/** Facts by name. */
export function facts(pairs: readonly (readonly [name: string, value: Html])[]): Html {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

export function link(href: string, text: string | null | undefined): Html {
  return html`<a href="${href}">${said(text)}</a>`
}

/** A link to the page of a person, a client or a decision: ids stand whole in the path. */
export function linkTo(kind: 'people' | 'clients' | 'decisions' | 'routes', id: string, text: string): Html {
  return link(`/admin/${kind}/${encodeURIComponent(id)}`, text)
}

interface InputField {
  readonly name: string
  readonly label: string
  readonly value?: string | undefined
  readonly hint?: string
  readonly required?: boolean
  readonly options?: readonly string[]
  readonly rows?: number
}

/** A labelled field of a form that writes. */
export function input({ name, label, value = '', hint, required = false, options, rows }: InputField): Html {
  const shared = { id: name, name, required, 'aria-describedby': hint === undefined ? undefined : `${name}-hint` }
  const plain = html`<input class="input" ${attributes({ ...shared, value, autocomplete: 'off', maxlength: '4096' })}>`
  const area = html`<textarea class="input" ${attributes({ ...shared, rows: String(rows ?? 4), spellcheck: 'false' })}>${value}</textarea>`
  const select = html`<select ${attributes(shared)}>${(options ?? []).map(
    (option) => html`<option ${attributes({ value: option, selected: option === value })}>${option}</option>`,
  )}</select>`
  const control = options !== undefined ? select : rows !== undefined ? area : plain
  return html`<div class="field"><label for="${name}">${label}</label>${control}${
    hint !== undefined && html`<p class="hint" id="${`${name}-hint`}">${hint}</p>`
  }</div>`
}

/** What each check expected and got. */
export function checkList(
  checks: readonly { readonly name: string; readonly good: boolean; readonly expected: string; readonly got: string }[],
): Html {
  if (checks.length === 0) return html`<div class="empty">No checks were made.</div>`
  return html`<ol class="checks">${checks.map(
    ({ name, good, expected, got }) =>
      html`<li class="${good ? 'good' : 'bad'}"><span class="sign">${good ? '✓' : '✗'}</span><strong>${plainWords(name, 100)}</strong>: ${
        good ? said(got || expected, 500) : html`is ${said(got, 500)}, needed ${said(expected, 500)}`
      }</li>`,
  )}</ol>`
}

/** From when to when, as fields of a filter. */
export const TIMES: readonly FilterField[] = [
  { name: 'since', label: 'Since (UTC)', time: true },
  { name: 'until', label: 'Until (UTC)', time: true },
]

const LOCAL_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/

/** The fields of a page's query that the API is asked with; what a time field sent is UTC. */
export function sentOf(query: URLSearchParams, names: readonly string[]): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    names.map((name) => {
      const value = query.get(name) ?? undefined
      if (value === undefined || !LOCAL_TIME.test(value)) return [name, value]
      return [name, value.length === 16 ? `${value}:00Z` : `${value}Z`]
    }),
  )
}
