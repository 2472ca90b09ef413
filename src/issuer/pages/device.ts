import { type PageResource, resourceList } from './consent.ts'
import { decision, type FormTarget, field, form } from './form.ts'
import { html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { accountLine, clientFacts, clientNamed, type PageAccount, type PageClient, switchForm } from './parties.ts'
import { ago, plainWords } from './words.ts'

interface DeviceCodeModel extends PageFrame {
  /** Takes `user_code`. */
  readonly form: FormTarget
  /** As typed before, or from the address; '' for none. */
  readonly userCode: string
  readonly problem: string | undefined
}

/** Where the code that a device shows is typed in (RFC 8628 §3.3). */
export function deviceCodePage(model: DeviceCodeModel): string {
  const code = field({
    name: 'user_code',
    label: 'Code',
    type: 'text',
    autocomplete: 'off',
    value: model.userCode,
    hint: 'Capitals and dashes don’t matter.',
    problem: model.problem,
    focused: true,
    maxLength: 64,
    code: true,
  })
  return pageDocument(
    model,
    model.problem === undefined ? 'Connect a device' : 'Problem: Connect a device',
    html`<h1>Connect a device</h1>
<p class="lead">Type the code that your device or command line shows.</p>
${form(model.form, html`${code}<div class="actions"><button class="button primary" type="submit">Go on</button></div>`)}
<p class="hint">Did somebody send you this code? Then don’t type it: it would let them in as you.</p>`,
  )
}

interface DeviceApprovalModel extends PageFrame {
  /** Takes one `decision` and, where `choosable`, any number of `scope`. */
  readonly form: FormTarget
  readonly client: PageClient
  readonly account: PageAccount
  readonly switchAccount: FormTarget | undefined
  /** As the device shows it. */
  readonly userCode: string
  readonly resources: readonly PageResource[]
  /** Whether scopes can be left out; first-party clients get all or nothing. */
  readonly choosable: boolean
  /** Where the device asked from. `at` and `now` NumericDate, seconds. */
  readonly origin: {
    readonly address: string
    readonly device: string | undefined
    readonly at: number
    readonly now: number
  }
  readonly problem: string | undefined
}

/** Always asked before a device gets anything: who asks, from where, for what. */
export function deviceApprovalPage(model: DeviceApprovalModel): string {
  const { origin } = model
  const question = html`${resourceList(model.resources, model.choosable)}
${model.problem !== undefined && problemNotice(model.problem)}
<p class="hint">Go on only if you see this code on a device in front of you.</p>
<hr class="tear">
${decision({ approve: model.choosable ? 'Connect with what is ticked' : 'Connect this device', deny: 'Don’t connect' })}`
  return pageDocument(
    model,
    model.problem === undefined ? 'Connect this device?' : 'Problem: Connect this device?',
    html`<h1>Connect ${clientNamed(model.client)}?</h1>
${accountLine(model.account, model.switchAccount)}
<p class="user-code"><span>Code</span> <strong class="code">${plainWords(model.userCode, 32)}</strong></p>
${clientFacts(model.client)}
<dl class="facts">
<div><dt>Asked from</dt><dd>${plainWords(origin.address, 64)}, ${ago(origin.at, origin.now)}</dd></div>
${origin.device !== undefined && html`<div><dt>By</dt><dd>${plainWords(origin.device, 100)}</dd></div>`}
</dl>
${form(model.form, question)}
${switchForm(model.switchAccount)}`,
  )
}

interface DeviceAnsweredModel extends PageFrame {
  readonly client: PageClient
}

/** The device has what it asked for. */
export function deviceDonePage(model: DeviceAnsweredModel): string {
  return pageDocument(
    model,
    'Device connected',
    html`<h1>${clientNamed(model.client)} is connected</h1>
<p class="lead">Go back to your device; it goes on by itself. You can close this page.</p>
<p>You can take this back at any time under <a href="/account">your account</a>.</p>`,
  )
}

/** The person said no; the device hears it when it asks next. */
export function deviceDeniedPage(model: DeviceAnsweredModel): string {
  return pageDocument(
    model,
    'Device not connected',
    html`<h1>${clientNamed(model.client)} was not connected</h1>
<p class="lead">It gets no access. You can close this page.</p>
<p>If you didn’t start this yourself, somebody may have tried to get in as you. Nothing was given to them.</p>`,
  )
}
