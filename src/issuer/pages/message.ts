import { type FormTarget, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { accountLine, type PageAccount } from './parties.ts'
import { clientName, headingWords, plainWords } from './words.ts'

/** What is asked before an act that ends something. */
export interface ConfirmModel extends PageFrame {
  readonly form: FormTarget
  readonly account: PageAccount | undefined
  /** A question: `Disconnect Gallery app?` */
  readonly question: string
  /** What will stop working, a sentence each. */
  readonly consequences: readonly string[]
  /** What the button says: `Disconnect`. The button sends `decision=approve`. */
  readonly act: string
  /** Where "no" leads. */
  readonly cancelUrl: string
}

/** Asks once before an act that ends something. */
export function confirmPage(model: ConfirmModel): string {
  const buttons = html`<div class="actions">
<button class="button danger" type="submit" name="decision" value="approve">${plainWords(model.act, 64)}</button>
<a class="button" href="${href(model.cancelUrl) ?? '/account'}">No, go back</a>
</div>`
  const question = plainWords(model.question, 150)
  return pageDocument(
    model,
    question,
    html`<h1>${headingWords(question)}</h1>
${model.account && accountLine(model.account, undefined)}
<ul class="reasons">${model.consequences.map((text) => html`<li>${plainWords(text, 300)}</li>`)}</ul>
${form(model.form, buttons)}`,
  )
}

interface DoneModel extends PageFrame {
  readonly title: string
  /** Paragraphs. */
  readonly text: readonly string[]
  readonly next: { readonly url: string; readonly label: string }
}

/** An act was carried out: what it did, and where to go next. */
export function donePage(model: DoneModel): string {
  const title = plainWords(model.title, 150)
  return pageDocument(
    model,
    title,
    html`<h1>${headingWords(title)}</h1>
${model.text.map(paragraph)}
<p><a class="button primary" href="${href(model.next.url) ?? '/account'}">${plainWords(model.next.label, 64)}</a></p>`,
  )
}

interface LeadOnModel extends PageFrame {
  /** A path or URL of ours, or an address that the client has registered; its scheme may be the client's own. */
  readonly url: string
  /** Whose form it was that came before: the app's. */
  readonly name: string
}

/** What runs or shows something in the browser itself, in whatever spelling; never registered either. */
const ACTING_SCHEME = /^(?:javascript|vbscript|data|blob|file|filesystem|about|view-source):/i

/** Leads on from a form to the client, by itself and by a link: browsers hold a redirect to what the form's page allowed. */
export function leadOnPage(model: LeadOnModel): string {
  const fits = /^\/(?![/\\])/.test(model.url) || (URL.canParse(model.url) && !ACTING_SCHEME.test(model.url))
  const url = fits ? model.url : '/'
  return pageDocument(
    { site: model.site, leadsTo: url, keepsFragment: model.keepsFragment === true },
    'One moment',
    html`<h1>One moment</h1>
<p class="lead">You are on your way to <bdi class="name">${clientName(model.name)}</bdi>.</p>
<p><a class="button primary onward" href="${url}">Go on</a></p>`,
  )
}

function paragraph(text: string): Html {
  return html`<p>${plainWords(text, 500)}</p>`
}

interface ErrorModel extends PageFrame {
  /** A few words: `This sign-in has expired`. */
  readonly title: string
  /** What happened, in a sentence. May hold what a client sent. */
  readonly what: string
  /** What the person can do. */
  readonly advice: string
  /** The protocol's error code, for whoever looks into it. */
  readonly code: string | undefined
  readonly requestId: string | undefined
  /** Where the person may go on to, by a link alone. An address that acts in a browser must not come here. */
  readonly onward?: { readonly url: string; readonly label: string } | undefined
}

/** Something that can't be answered by going back to the client: what happened and what to do. */
export function errorPage(model: ErrorModel): string {
  const code = model.code && plainWords(model.code, 64)
  const facts = html`<dl class="facts quiet">
${code && html`<div><dt>Error</dt><dd><code>${code}</code></dd></div>`}
${model.requestId && html`<div><dt>Request</dt><dd><code>${plainWords(model.requestId, 100)}</code></dd></div>`}
</dl>`
  return pageDocument(
    model,
    plainWords(model.title, 100),
    html`<h1>${headingWords(plainWords(model.title, 100))}</h1>
<p class="lead">${plainWords(model.what, 500)}</p>
<p>${plainWords(model.advice, 500)}</p>
${model.onward && html`<p><a class="button" rel="noreferrer" href="${model.onward.url}">${plainWords(model.onward.label, 200)}</a></p>`}
${(code || model.requestId) && facts}`,
  )
}
