import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { plainWords } from './plain-words.ts'

/** Who is signed in. */
export interface PageAccount {
  readonly username: string
  readonly displayName: string | undefined
}

const SWITCH = 'switch-account'

/** "Signed in as …", with the way to another account where the model has one: a button of {@link switchForm}. */
export function accountLine(account: PageAccount, switchAccount: FormTarget | undefined): Html {
  const change =
    switchAccount && html`<button class="button link" type="submit" form="${SWITCH}">Use another account</button>`
  return html`<div class="who"><p>Signed in as <bdi class="name">${accountName(account)}</bdi></p>${change}</div>`
}

/** The form behind the account line's button. It stands last, so that the first form of a page is the page's question. */
export function switchForm(switchAccount: FormTarget | undefined): Html | undefined {
  return switchAccount && form(switchAccount, html``, 'inline', SWITCH)
}

/** `Alice Example (alice)`, or the username alone. */
export function accountName(account: PageAccount): string {
  const username = plainWords(account.username, 64)
  const shown = account.displayName && plainWords(account.displayName, 64)
  return shown && shown !== username ? `${shown} (${username})` : username
}
