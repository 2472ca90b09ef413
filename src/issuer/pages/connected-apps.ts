import { clientBadge, clientNamed, type PageClient } from './client.ts'
import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { clientName, plainWords } from './plain-words.ts'
import { ago } from './time.ts'

/** One sign-in of an app: the family of its tokens. */
export interface PageDevice {
  /** What the person knows it by: `Firefox on Linux`. */
  readonly label: string
  /** NumericDate, seconds, as all times here. */
  readonly since: number
  /** Undefined: never used yet. */
  readonly lastUsed: number | undefined
  /** Ends this one alone. */
  readonly revoke: FormTarget
}

/** An app and all that it holds of this person. */
export interface PageApp {
  readonly client: PageClient
  /** What it may do, resource by resource. */
  readonly resources: readonly {
    readonly name: string
    readonly identifier: string
    /** Scopes with their words. */
    readonly scopes: readonly { readonly scope: string; readonly description: string }[]
    readonly since: number
  }[]
  readonly lastUsed: number | undefined
  readonly devices: readonly PageDevice[]
  /** Ends the app's access and forgets the consent. */
  readonly revoke: FormTarget
}

/** The section with every connected app, each with what it may do, since when, where, and a way to end it. */
export function connectedApps(apps: readonly PageApp[], now: number): Html {
  const list = apps.map((app, index) => appCard(app, `app-${index}`, now))
  return html`<section aria-labelledby="apps">
<h2 id="apps">Connected apps</h2>
${list.length > 0 ? html`<ul class="apps">${list}</ul>` : html`<p>No app is connected to your account.</p>`}
</section>`
}

function appCard(app: PageApp, id: string, now: number): Html {
  const name = clientName(app.client.name)
  return html`<li class="app">
<div class="app-head">
<h3 id="${id}">${clientNamed(app.client)} ${clientBadge(app.client)}</h3>
<p class="hint">${app.lastUsed === undefined ? 'Not used yet' : html`Last used ${ago(app.lastUsed, now)}`}</p>
</div>
<dl class="facts">${app.resources.map((resource) => resourceRow(resource, now))}</dl>
${app.devices.length > 0 && deviceTable(app.devices, name, now)}
${form(app.revoke, html`<button class="button danger" type="submit">Disconnect <bdi>${name}</bdi></button>`)}
</li>`
}

function resourceRow(resource: PageApp['resources'][number], now: number): Html {
  const scopes = resource.scopes.map(
    ({ scope, description }) =>
      html`<li>${plainWords(description, 200, plainWords(scope, 100))} <code>${plainWords(scope, 100)}</code></li>`,
  )
  return html`<div><dt>${plainWords(resource.name, 100)}</dt><dd><ul class="plain">${scopes}</ul><p class="hint">since ${ago(resource.since, now)}</p></dd></div>`
}

function deviceTable(devices: readonly PageDevice[], name: string, now: number): Html {
  const rows = devices.map((device) => {
    const label = plainWords(device.label, 100, 'Unknown device')
    return html`<tr>
<th scope="row">${label}</th>
<td data-label="Since">${ago(device.since, now)}</td>
<td data-label="Last used">${device.lastUsed === undefined ? 'never' : ago(device.lastUsed, now)}</td>
<td>${form(device.revoke, html`<button class="button small" type="submit">Sign out<span class="unseen"> ${name} on ${label}</span></button>`, 'inline')}</td>
</tr>`
  })
  return html`<table class="devices">
<caption class="unseen">Devices on which ${name} is signed in</caption>
<thead><tr><th scope="col">Device</th><th scope="col">Since</th><th scope="col">Last used</th><th scope="col"><span class="unseen">Act</span></th></tr></thead>
<tbody>${rows}</tbody>
</table>`
}
