import { accountLine, type PageAccount } from './account-line.ts'
import { type FormTarget, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { plainWords } from './plain-words.ts'

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
    html`<h1>${question}</h1>
${model.account && accountLine(model.account, undefined)}
<ul class="reasons">${model.consequences.map((text) => html`<li>${plainWords(text, 300)}</li>`)}</ul>
${form(model.form, buttons)}`,
  )
}

export interface DoneModel extends PageFrame {
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
    html`<h1>${title}</h1>
${model.text.map(paragraph)}
<p><a class="button primary" href="${href(model.next.url) ?? '/account'}">${plainWords(model.next.label, 64)}</a></p>`,
  )
}

export interface PasswordChangedModel extends PageFrame {
  readonly account: PageAccount
}

/** The password was changed; every other sign-in of this person has ended. */
export function passwordChangedPage(model: PasswordChangedModel): string {
  return donePage({
    site: model.site,
    title: 'Your password was changed',
    text: [
      'You stay signed in here. Everywhere else you have been signed out, and every connected app has lost its access.',
      'Apps that you still want ask you to sign in again.',
    ],
    next: { url: '/account', label: 'Back to your account' },
  })
}

function paragraph(text: string): Html {
  return html`<p>${plainWords(text, 500)}</p>`
}
