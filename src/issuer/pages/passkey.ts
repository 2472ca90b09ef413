import { PASSKEY_SCRIPT_PATH } from './assets.ts'
import { type FormTarget, field, form, hiddenField } from './form.ts'
import { attributes, type Html, html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'
import { ago, plainWords } from './words.ts'

/** The form that a passkey comes by. Browsers without the script, or without passkeys, show nothing of it. */
export interface PasskeyForm {
  /** Takes `passkey`. */
  readonly form: FormTarget
  /** What the browser is asked with, JSON. */
  readonly options: string
  readonly kind: 'create' | 'get'
  /** Where the page is asked for anew before its challenge is too old; undefined: it isn't. */
  readonly again?: string | undefined
}

/** A button that asks the browser for a passkey; `label` says what comes of it. */
export function passkeyForm({ form: target, options, kind, again }: PasskeyForm, label: string, more?: Html): Html {
  const tag = attributes({
    class: 'form passkey',
    method: 'post',
    action: target.action,
    hidden: true,
    'data-passkey': kind,
    'data-options': options,
    'data-again': again,
  })
  const hidden = Object.entries({ ...target.hidden, passkey: '' }).map(([name, value]) => hiddenField(name, value))
  return html`<form ${tag}>${hidden}${more}
<p class="notice problem" role="alert" hidden></p>
<div class="actions"><button class="button ${kind === 'create' ? 'primary' : ''}" type="button">${label}</button></div>
</form>
<script type="module" src="${PASSKEY_SCRIPT_PATH}"></script>`
}

/** What stands in the place of the button until the script has shown it, and stays where it can't. */
export function withoutPasskey(text: string): Html {
  return html`<p class="notice note" data-without-passkey="">${text}</p>`
}

interface AddPasskeyModel extends PageFrame {
  readonly passkey: PasskeyForm
  readonly account: PageAccount
  /** The name that it gets if nothing else is typed. */
  readonly name: string
  readonly problem: string | undefined
  /** Undefined: there is no way around it. */
  readonly cancelUrl: string | undefined
}

/** Where somebody makes a passkey. */
export function addPasskeyPage(model: AddPasskeyModel): string {
  const { problem, name } = model
  return pageDocument(
    model,
    problem === undefined ? 'Add a passkey' : 'Problem: Add a passkey',
    html`<h1>Add a passkey</h1>
${accountLine(model.account, undefined)}
<p>This device asks for your fingerprint, face or PIN, and keeps a key that opens your account from then on. Nothing has to be typed or remembered.</p>
${problem !== undefined && problemNotice(problem)}
${withoutPasskey('This browser can’t make passkeys, or runs no scripts here.')}
${passkeyForm(model.passkey, 'Make the passkey', field({ name: 'name', label: 'Name it', type: 'text', autocomplete: 'off', value: name, maxLength: 64, hint: 'So that you know it again, should you want to remove it.' }))}
${model.cancelUrl !== undefined && html`<p class="after"><a href="${model.cancelUrl}">Cancel</a></p>`}`,
  )
}

/** One passkey of the account page. */
interface PagePasskey {
  readonly name: string
  /** It may be on other devices of the person's, too. */
  readonly synced: boolean
  /** NumericDate, seconds. */
  readonly since: number
  readonly lastUsed: number | undefined
  /** Takes `name`. */
  readonly rename: FormTarget
  readonly remove: FormTarget
}

export interface PasskeysModel {
  readonly passkeys: readonly PagePasskey[]
  /** Undefined: there can't be another. */
  readonly add: FormTarget | undefined
  /** Why there are none to be had, where that can be mended. */
  readonly why: string | undefined
}

/** The section of the account page with the passkeys. */
export function passkeysSection({ passkeys, add, why }: PasskeysModel, now: number): Html {
  const list = passkeys.map((passkey, index) => passkeyCard(passkey, index, now))
  const lone = passkeys.length === 1 && passkeys[0]?.synced === false
  return html`<section aria-labelledby="passkeys">
<h2 id="passkeys">Passkeys</h2>
${list.length > 0 ? html`<ul class="apps">${list}</ul>` : html`<p>A passkey signs you in by your device’s fingerprint, face or PIN, without a password.</p>`}
${lone && html`<p class="notice note">Your only passkey is on one device. Add another one, in case that device is lost.</p>`}
${why !== undefined && html`<p class="hint">${why}</p>`}
${add && form(add, html`<button class="button" type="submit">Add a passkey</button>`, 'inline')}
</section>`
}

function passkeyCard({ name, synced, since, lastUsed, rename, remove }: PagePasskey, index: number, now: number): Html {
  const shown = plainWords(name, 64)
  const id = `passkey-name-${index}`
  return html`<li class="app">
<div class="app-head"><h3><bdi>${shown}</bdi></h3><p class="hint">${synced ? 'Synced between devices' : 'On this one device only'} · since ${ago(since, now)} · ${lastUsed === undefined ? 'not used yet' : html`last used ${ago(lastUsed, now)}`}</p></div>
<div class="actions"><details class="rename"><summary>Rename<span class="unseen"> ${shown}</span></summary>
${form(rename, html`<label for="${id}">New name</label><input class="input" id="${id}" name="name" value="${name}" maxlength="64" required autocomplete="off"><button class="button small" type="submit">Rename</button>`, 'inline')}
</details>
${form(remove, html`<button class="button danger small" type="submit">Remove <bdi>${shown}</bdi></button>`, 'inline')}</div>
</li>`
}
