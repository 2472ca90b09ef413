import { type Html, html } from './html.ts'
import { ago, plainWords } from './words.ts'

/** What one service lets the person do. */
export interface PageService {
  readonly name: string
  /** Its address. */
  readonly identifier: string
  readonly scopes: readonly { readonly scope: string; readonly description: string }[]
}

/** Something that happened to the account. */
export interface PageEvent {
  /** In words. */
  readonly text: string
  /** From where; undefined where it is not known. */
  readonly address: string | undefined
  /** NumericDate, seconds. */
  readonly at: number
  /** The person should look at it. */
  readonly warns: boolean
}

/** The section with the services that the person may use. */
export function servicesSection(services: readonly PageService[]): Html {
  const rows = services.map(
    ({ name, identifier, scopes }) =>
      html`<div><dt>${plainWords(name, 100)}</dt><dd><ul class="plain">${scopes.map(
        ({ scope, description }) =>
          html`<li>${plainWords(description, 200, plainWords(scope, 100))} <code>${plainWords(scope, 100)}</code></li>`,
      )}</ul><p class="hint address">${plainWords(identifier, 300)}</p></dd></div>`,
  )
  return html`<section aria-labelledby="services">
<h2 id="services">What you may use</h2>
${rows.length > 0 ? html`<dl class="facts">${rows}</dl>` : html`<p>Nothing yet. Ask whoever runs this service to add you to a group.</p>`}
</section>`
}

/** The section with what happened lately, the newest first, and the way to all that is kept of the person. */
export function eventsSection(events: readonly PageEvent[], dataPath: string, now: number): Html {
  const rows = events.map(
    ({ text, address, at, warns }) => html`<tr>
<th scope="row">${warns && html`<span class="badge unverified">Look</span> `}${plainWords(text, 300)}</th>
<td data-label="Address">${plainWords(address ?? '', 64, '–')}</td>
<td data-label="When">${ago(at, now)}</td>
</tr>`,
  )
  const list = html`<table class="devices">
<caption class="unseen">Recent events</caption>
<thead><tr><th scope="col">What</th><th scope="col">Address</th><th scope="col">When</th></tr></thead>
<tbody>${rows}</tbody>
</table>`
  return html`<section aria-labelledby="events">
<h2 id="events">Recent events</h2>
${events.length > 0 ? html`<details><summary>The last ${events.length === 1 ? 'one' : events.length}</summary>${list}</details>` : html`<p>Nothing has happened yet.</p>`}
<p class="after"><a class="button" href="${dataPath}">My data as JSON</a></p>
<p class="hint">All that is kept here of you: account, connections, browsers, app passwords and events. Never a password or a key.</p>
</section>`
}
