import { COPY_SCRIPT_PATH } from './assets.ts'
import { type FormTarget, form } from './form.ts'
import { type Html, html } from './html.ts'
import { type PageFrame, pageDocument } from './layout.ts'
import { ago, plainWords } from './words.ts'

/** A password that was made for one resource. Times are NumericDate, seconds. */
export interface PageAppPassword {
  readonly name: string
  readonly resource: string
  readonly scopes: readonly string[]
  readonly since: number
  readonly lastUsed: number | undefined
  readonly ends: number
  readonly revoke: FormTarget
}

/** A resource that the person may make one for, with the scopes that they may have. */
export interface AppPasswordChoice {
  readonly identifier: string
  readonly name: string
  readonly scopes: readonly { readonly scope: string; readonly description: string }[]
  /** Takes `name`, `scope` boxes and `days`. */
  readonly make: FormTarget
}

/** The section with every app password, and a form for each resource that one can be made for. */
export function appPasswordsSection(
  passwords: readonly PageAppPassword[],
  choices: readonly AppPasswordChoice[],
  now: number,
): Html {
  const rows = passwords.map(
    (each) => html`<tr>
<th scope="row">${plainWords(each.name, 64)}</th>
<td data-label="Opens">${plainWords(each.resource, 100)} <span class="hint">${each.scopes.map((scope) => plainWords(scope, 100)).join(' ')}</span></td>
<td data-label="Last used">${each.lastUsed === undefined ? 'never' : ago(each.lastUsed, now)}</td>
<td data-label="Ends">${new Date(each.ends * 1000).toISOString().slice(0, 10)}</td>
<td>${form(each.revoke, html`<button class="button small" type="submit">Revoke<span class="unseen"> ${plainWords(each.name, 64)}</span></button>`, 'inline')}</td>
</tr>`,
  )
  return html`<section aria-labelledby="app-passwords">
<h2 id="app-passwords">App passwords</h2>
<p>For drives, players and apps that can’t sign in. Each opens one service, and nothing else of yours.</p>
${
  rows.length > 0 &&
  html`<table class="devices">
<caption class="unseen">Your app passwords</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Opens</th><th scope="col">Last used</th><th scope="col">Ends</th><th scope="col"><span class="unseen">Act</span></th></tr></thead>
<tbody>${rows}</tbody>
</table>`
}
${choices.map((choice, index) => choiceForm(choice, `make-${index}`))}
</section>`
}

function choiceForm(choice: AppPasswordChoice, id: string): Html {
  const boxes = choice.scopes.map(
    ({ scope, description }) =>
      html`<label class="choice"><input type="checkbox" name="scope" value="${scope}" checked> ${plainWords(description, 200, scope)}</label>`,
  )
  const name = plainWords(choice.name, 100)
  return html`<details><summary>Make one for ${name}</summary>
${form(
  choice.make,
  html`<div class="field"><label for="${id}-name">What is it for?</label><input class="input" id="${id}-name" name="name" maxlength="64" required autocomplete="off"></div>
<fieldset class="field"><legend>What may it do at ${name}?</legend>${boxes}</fieldset>
<div class="field"><label for="${id}-days">How many days does it last?</label><input class="input" id="${id}-days" name="days" type="number" min="1" value="365"></div>
<div class="actions"><button class="button primary" type="submit">Make an app password</button></div>`,
)}
</details>`
}

interface MadeModel extends PageFrame {
  readonly name: string
  readonly resource: string
  /** Shown this once. */
  readonly password: string
  readonly username: string
  /** Where the resource is, as far as routes.yaml says. */
  readonly url: string
}

/** An app password that was just made, with what to do with it in the usual programs. */
export function madePage(model: MadeModel): string {
  const { password, username, url } = model
  const copied = (what: string, text: string): Html =>
    html`<pre class="snippet" data-copy="${what}"><code>${text}</code></pre>`
  const snippet = (title: string, text: string): Html => html`<h2>${title}</h2>
${copied(`the line for ${title}`, text)}`
  return pageDocument(
    model,
    'Your app password',
    html`<h1>Your app password</h1>
<p class="lead">${plainWords(model.name, 64)}, for ${plainWords(model.resource, 100)}. It is shown this once: keep it where the program can read it.</p>
<div class="once"><code data-copy="the app password">${password}</code></div>
<p>It is the password; the user name may be anything, <code>${username}</code> say. Where a program has a field of its own for headers, this does the same:</p>
${copied('the header field', `X-Audgate-Authorization: Bearer ${password}`)}
${snippet('curl', `curl --user ${username} ${url}`)}
${snippet('rclone', `rclone config create mine webdav url=${url} vendor=other user=${username} pass=…`)}
${snippet('davfs2', `mount -t davfs ${url} /mnt/mine`)}
${snippet('Windows', `net use X: ${url} /user:${username} *`)}
<p>Each of them asks for the password, or takes it where the dots are.</p>
<p><a class="button primary" href="/account">Back to your account</a></p>
<script type="module" src="${COPY_SCRIPT_PATH}"></script>`,
    'wide',
  )
}
