import { html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { plainWords } from './plain-words.ts'

export interface ErrorModel extends PageFrame {
  /** A few words: `This sign-in has expired`. */
  readonly title: string
  /** What happened, in a sentence. May hold what a client sent. */
  readonly what: string
  /** What the person can do. */
  readonly advice: string
  /** The protocol's error code, for whoever looks into it. */
  readonly code: string | undefined
  readonly requestId: string | undefined
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
    html`<h1>${plainWords(model.title, 100)}</h1>
<p class="lead">${plainWords(model.what, 500)}</p>
<p>${plainWords(model.advice, 500)}</p>
${(code || model.requestId) && facts}`,
  )
}
