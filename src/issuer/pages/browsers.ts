import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { ago, plainWords } from './words.ts'

/** A browser that the person is signed in with. Times are NumericDate, seconds; undefined where nothing was noted. */
export interface PageBrowser {
  /** `Firefox on Linux`. */
  readonly label: string
  readonly address: string | undefined
  readonly since: number | undefined
  readonly seen: number | undefined
  /** Undefined for the one that looks at the page. */
  readonly others: { readonly signOut: FormTarget; readonly notMe: FormTarget } | undefined
}

/** The section with every browser that is signed in, and the ways to end one. */
export function browsersSection(browsers: readonly PageBrowser[], now: number): Html {
  const rows = browsers.map((browser) => {
    const label = plainWords(browser.label, 100, 'A browser')
    return html`<tr>
<th scope="row">${label}${browser.others === undefined && html` <span class="badge verified">This one</span>`}</th>
<td data-label="Address">${plainWords(browser.address ?? '', 64, 'unknown')}</td>
<td data-label="Signed in">${browser.since === undefined ? 'unknown' : ago(browser.since, now)}</td>
<td data-label="Last seen">${browser.seen === undefined ? 'unknown' : ago(browser.seen, now)}</td>
<td>${browser.others && acts(browser.others, label)}</td>
</tr>`
  })
  return html`<section aria-labelledby="browsers">
<h2 id="browsers">Signed-in browsers</h2>
<table class="devices">
<caption class="unseen">Browsers that are signed in</caption>
<thead><tr><th scope="col">Browser</th><th scope="col">Address</th><th scope="col">Signed in</th><th scope="col">Last seen</th><th scope="col"><span class="unseen">Act</span></th></tr></thead>
<tbody>${rows}</tbody>
</table>
</section>`
}

function acts({ signOut, notMe }: NonNullable<PageBrowser['others']>, label: string): Html {
  const of = html`<span class="unseen"> (${label})</span>`
  return html`<div class="acts">${form(signOut, html`<button class="button small" type="submit">Sign out${of}</button>`, 'inline')}
${form(notMe, html`<button class="button danger small" type="submit">This wasn’t me${of}</button>`, 'inline')}</div>`
}
