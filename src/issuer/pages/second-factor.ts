import { renderSVG } from 'uqr'
import { type FormTarget, field, form } from './form.ts'
import { type Html, html, trustedHtml } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'

export interface CodePageModel extends PageFrame {
  /** Takes `code`. */
  readonly form: FormTarget
  readonly problem: string | undefined
  readonly cancel?: FormTarget | undefined
}

/** After the password: asks for a code of the app, or a recovery code. */
export function codePage(model: CodePageModel): string {
  const { problem } = model
  return pageDocument(
    model,
    problem === undefined ? 'Enter your code' : 'Problem: Enter your code',
    html`<h1>Enter your code</h1>
<p class="lead">Your authenticator app shows it. If you don’t have the app at hand, type one of your recovery codes.</p>
${form(
  model.form,
  html`${problem !== undefined && problemNotice(problem)}
${field({ name: 'code', label: 'Code', type: 'text', autocomplete: 'one-time-code', maxLength: 64, code: true, focused: true })}
<div class="actions"><button class="button primary" type="submit">Go on</button></div>`,
)}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}

export interface EnrolModel extends PageFrame {
  /** Takes `code`. */
  readonly form: FormTarget
  readonly account: PageAccount
  /** Base32. */
  readonly secret: string
  readonly uri: string
  readonly problem: string | undefined
}

/** Shows the secret of a new authenticator app, and asks for its first code. */
export function enrolPage(model: EnrolModel): string {
  const groups = model.secret.replace(/(.{4})(?=.)/g, '$1 ')
  return pageDocument(
    model,
    model.problem === undefined ? 'Add an authenticator app' : 'Problem: Add an authenticator app',
    html`<h1>Add an authenticator app</h1>
${accountLine(model.account, undefined)}
<p>Scan this with the app, or <a href="${model.uri}">open it on this device</a>.</p>
<div class="qr">${trustedHtml(renderSVG(model.uri, { border: 2 }))}</div>
<dl class="facts"><div><dt>Or type it</dt><dd><code class="secret">${groups}</code></dd></div></dl>
${form(
  model.form,
  html`${model.problem !== undefined && problemNotice(model.problem)}
${field({ name: 'code', label: 'The code that the app shows now', type: 'text', autocomplete: 'one-time-code', inputMode: 'numeric', maxLength: 16, code: true })}
<div class="actions"><button class="button primary" type="submit">Add it</button><a class="button" href="/account">Cancel</a></div>`,
)}`,
  )
}

export interface CodesModel extends PageFrame {
  readonly codes: readonly string[]
}

/** Shows recovery codes, this once. */
export function recoveryCodesPage(model: CodesModel): string {
  return pageDocument(
    model,
    'Your recovery codes',
    html`<h1>Your recovery codes</h1>
<p class="lead">Keep them where you find them without your phone. Each opens your account once, after your password.</p>
<ul class="plain codes">${model.codes.map((code) => html`<li><code>${code}</code></li>`)}</ul>
<p>They are shown this once; earlier ones open nothing any more.</p>
<p><a class="button primary" href="/account">I have kept them</a></p>`,
  )
}

export interface FactorsModel {
  /** Undefined: there is no app. */
  readonly app: { readonly remove: FormTarget; readonly newCodes: FormTarget; readonly codesLeft: number } | undefined
  readonly add: FormTarget
}

/** The section of the account page on what is asked for beside the password. */
export function factorsSection({ app, add }: FactorsModel): Html {
  const standing =
    app === undefined
      ? html`<p>Your password alone opens your account.</p>
${form(add, html`<button class="button" type="submit">Add an authenticator app</button>`)}`
      : html`<p>An authenticator app is asked for after your password. ${app.codesLeft === 1 ? '1 recovery code is' : `${app.codesLeft} recovery codes are`} left.</p>
<div class="actions">${form(app.newCodes, html`<button class="button" type="submit">Make new recovery codes</button>`, 'inline')}
${form(app.remove, html`<button class="button danger" type="submit">Remove the app</button>`, 'inline')}</div>`
  return html`<section aria-labelledby="second-factor">
<h2 id="second-factor">Second factor</h2>
${standing}
</section>`
}
