import { type AppPasswordChoice, appPasswordsSection, type PageAppPassword } from './app-passwords.ts'
import { browsersSection, type PageBrowser } from './browsers.ts'
import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type Notice, notices, type PageFrame, pageDocument } from './layout.ts'
import { eventsSection, type PageEvent, type PageService, servicesSection } from './my-access.ts'
import { accountName, clientBadge, clientNamed, type PageAccount, type PageClient } from './parties.ts'
import { type PasskeysModel, passkeysSection } from './passkey.ts'
import { type PasswordFormModel, passwordForm } from './password-due.ts'
import { type FactorsModel, factorsSection } from './second-factor.ts'
import { type ConnectedWay, type WayToConnect, waysInSection } from './ways-in.ts'
import { ago, clientName, plainWords } from './words.ts'

/** One sign-in of an app: the family of its tokens. */
interface PageDevice {
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
function connectedApps(apps: readonly PageApp[], now: number): Html {
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

interface AccountModel extends PageFrame {
  readonly account: PageAccount & {
    readonly email: string | undefined
    readonly groups: readonly string[]
  }
  /** What the last act did, newest first. */
  readonly notices: readonly Notice[]
  /** Consents and authorizations by client; one that holds nothing alive is listed as long as its consent stands. */
  readonly apps: readonly PageApp[]
  /** Undefined where no service takes any, and there are none. */
  readonly appPasswords?:
    | { readonly passwords: readonly PageAppPassword[]; readonly choices: readonly AppPasswordChoice[] }
    | undefined
  /** Providers that the person signs in with, and could. */
  readonly ways?: { readonly connected: readonly ConnectedWay[]; readonly others: readonly WayToConnect[] }
  /** Undefined where nobody wants them. */
  readonly passkeys?: PasskeysModel | undefined
  /** Undefined where there are none to be had. */
  readonly factors?: FactorsModel | undefined
  /** Undefined for an account that can't sign in by password. */
  readonly password: PasswordFormModel | undefined
  readonly browsers: readonly PageBrowser[]
  readonly services: readonly PageService[]
  /** The newest first. */
  readonly events: readonly PageEvent[]
  /** Where all that is kept of the person can be had. */
  readonly dataPath: string
  readonly signOut: FormTarget
  readonly signOutEverywhere: FormTarget
  /** NumericDate, seconds. */
  readonly now: number
}

/** Who I am, what is connected to my account, and the ways to end it. */
export function accountPage(model: AccountModel): string {
  const problem = model.password?.problem !== undefined || model.notices.some(({ kind }) => kind === 'problem')
  return pageDocument(
    model,
    problem ? 'Problem: Your account' : 'Your account',
    html`<h1>Your account</h1>
${notices(model.notices)}
${whoIAm(model)}
${servicesSection(model.services)}
${connectedApps(model.apps, model.now)}
${browsersSection(model.browsers, model.now)}
${model.appPasswords && appPasswordsSection(model.appPasswords.passwords, model.appPasswords.choices, model.now)}
${model.ways && waysInSection(model.ways.connected, model.ways.others, model.now)}
${model.passkeys && passkeysSection(model.passkeys, model.now)}
${model.factors && factorsSection(model.factors)}
${model.password && passwordSection(model.password, model.account.username)}
${eventsSection(model.events, model.dataPath, model.now)}
${everywhere(model.signOutEverywhere)}`,
    'wide',
  )
}

function whoIAm({ account, signOut }: AccountModel): Html {
  const groups = account.groups.map((group) => html`<li>${plainWords(group, 100)}</li>`)
  return html`<section aria-labelledby="who">
<h2 id="who">Who you are</h2>
<dl class="facts">
<div><dt>Account</dt><dd><bdi class="name">${accountName(account)}</bdi></dd></div>
${account.email !== undefined && html`<div><dt>Email</dt><dd>${plainWords(account.email, 254)}</dd></div>`}
<div><dt>Groups</dt><dd>${groups.length > 0 ? html`<ul class="tags">${groups}</ul>` : 'none'}</dd></div>
</dl>
${form(signOut, html`<button class="button" type="submit">Sign out in this browser</button>`)}
</section>`
}

function passwordSection(password: PasswordFormModel, username: string): Html {
  return html`<section aria-labelledby="password">
<h2 id="password">Change your password</h2>
<p>Everything else of yours is signed out then, connected apps too. You stay signed in here.</p>
${passwordForm(password, username)}
</section>`
}

function everywhere(target: FormTarget): Html {
  return html`<section aria-labelledby="everywhere">
<h2 id="everywhere">Sign out everywhere</h2>
<p>Ends every session and disconnects every device. Apps keep your consent, but have to ask you to sign in again.</p>
${form(
  target,
  html`<label class="choice"><input type="checkbox" name="end_app_passwords" value="yes"> End my app passwords, too</label>
<button class="button danger" type="submit">Sign out everywhere</button>`,
)}
</section>`
}
