import { renderSVG } from 'uqr'
import { type FormTarget, field, form } from './form.ts'
import { type Html, href, html, trustedHtml } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'
import { type PasskeyForm, passkeyForm, withoutPasskey } from './passkey.ts'

/** What is asked after the password. */
export interface CodePageModel extends PageFrame {
  /** Takes `code`, and `remember=yes`. Undefined: only a passkey will do. */
  readonly form: FormTarget | undefined
  /** What can be typed. */
  readonly takes: 'app' | 'recovery'
  /** For how many days the browser may be remembered; 0: it may not. */
  readonly rememberDays: number
  /** Asks for the person's passkey; undefined: there is none to be had. */
  readonly passkey: PasskeyForm | undefined
  readonly problem: string | undefined
  readonly cancel?: FormTarget | undefined
}

/** After the password: asks for a passkey, a code of the app, or a recovery code. */
export function codePage(model: CodePageModel): string {
  const { problem, form: target, passkey } = model
  const nothing = target === undefined && passkey === undefined
  const title = nothing ? 'You can’t sign in now' : target === undefined ? 'Use your passkey' : 'Enter your code'
  return pageDocument(
    model,
    problem === undefined ? title : `Problem: ${title}`,
    html`<h1>${title}</h1>
${target === undefined && problem !== undefined && problemNotice(problem)}
${nothing && html`<p>Your account is opened by a passkey, and this service takes no passkeys at the moment.</p><p>Ask whoever runs it for a recovery link: it lets you set up another way to sign in.</p>`}
${passkey && html`<p class="lead">Your account is opened by a passkey.</p>${withoutPasskey(PASSKEY_ONLY)}${passkeyForm(passkey, 'Use a passkey')}`}
${target && codeForm(model, target)}
${model.cancel && form(model.cancel, html`<button class="button link" type="submit" name="decision" value="deny">Cancel and go back</button>`, 'inline after')}`,
  )
}

const PASSKEY_ONLY = 'This browser can’t use passkeys here, or runs no scripts.'
const TAKES = {
  app: 'Your authenticator app shows it. If you don’t have the app at hand, type one of your recovery codes.',
  recovery: 'Without your passkey, type one of your recovery codes. Each is good once.',
}

function codeForm({ problem, takes, rememberDays, passkey }: CodePageModel, target: FormTarget): Html {
  const focused = passkey === undefined
  return html`<p class="${focused ? 'lead' : ''}">${TAKES[takes]}</p>
${form(
  target,
  html`${problem !== undefined && problemNotice(problem)}
${field({ name: 'code', label: takes === 'app' ? 'Code' : 'Recovery code', type: 'text', autocomplete: 'one-time-code', maxLength: 64, code: true, focused })}
${rememberDays > 0 && html`<label class="choice"><input type="checkbox" name="remember" value="yes"> Ask for no code in this browser for ${rememberDays} ${rememberDays === 1 ? 'day' : 'days'}</label>`}
<div class="actions"><button class="button primary" type="submit">Go on</button></div>`,
)}`
}

interface EnrolModel extends PageFrame {
  /** Takes `code`. */
  readonly form: FormTarget
  readonly account: PageAccount
  /** Base32. */
  readonly secret: string
  readonly uri: string
  readonly problem: string | undefined
  /** Undefined: there is no way around it. */
  readonly cancelUrl: string | undefined
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
<div class="actions"><button class="button primary" type="submit">Add it</button>${model.cancelUrl !== undefined && html`<a class="button" href="${model.cancelUrl}">Cancel</a>`}</div>`,
)}`,
  )
}

interface CodesModel extends PageFrame {
  readonly codes: readonly string[]
  readonly nextUrl: string
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
<p><a class="button primary" href="${href(model.nextUrl) ?? '/account'}">I have kept them</a></p>`,
  )
}

export interface FactorsModel {
  readonly second: 'none' | 'app' | 'passkey' | 'both'
  readonly passwordless: boolean
  /** Undefined: there is no app. */
  readonly remove: FormTarget | undefined
  /** Adds an app, or puts one in the place of the one there is; undefined: that can't be had. */
  readonly add: FormTarget | undefined
  /** Undefined: there is nothing to recover. */
  readonly codes: { readonly left: number; readonly make: FormTarget } | undefined
}

const SECOND: Readonly<Record<FactorsModel['second'], string>> = {
  none: 'Your password alone opens your account.',
  app: 'An authenticator app is asked for after your password.',
  both: 'A passkey, or a code of your authenticator app, is asked for after your password.',
  passkey: 'Your passkey is asked for after your password.',
}

/** The section of the account page on what is asked for beside the password. */
export function factorsSection({ second, passwordless, remove, add, codes }: FactorsModel): Html {
  const left = codes?.left === 1 ? '1 recovery code is' : `${codes?.left} recovery codes are`
  return html`<section aria-labelledby="second-factor">
<h2 id="second-factor">Second factor</h2>
<p>${passwordless ? 'Your account has no password.' : SECOND[second]}${codes && ` ${left} left.`}</p>
<div class="actions">${add && form(add, html`<button class="button" type="submit">${remove !== undefined ? 'Move to another app' : 'Add an authenticator app'}</button>`, 'inline')}
${codes && form(codes.make, html`<button class="button" type="submit">Make new recovery codes</button>`, 'inline')}
${remove && form(remove, html`<button class="button danger" type="submit">Remove the app</button>`, 'inline')}</div>
</section>`
}
