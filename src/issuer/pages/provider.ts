import { type FormTarget, field, form } from './form.ts'
import { type Html, href, html } from './html.ts'
import { type PageFrame, pageDocument, problemNotice } from './layout.ts'
import { errorPage } from './message.ts'
import { plainWords } from './words.ts'

/** A way to sign in elsewhere. */
export interface PageProvider {
  readonly name: string
  /** A path of ours that leads there. */
  readonly url: string
}

/** What people are told when a sign-in by a provider does not work out; the reason itself stands beside it. */
const WORDS: Readonly<Record<string, { readonly title: string; readonly what: string; readonly advice: string }>> = {
  provider_unreachable: {
    title: 'The other site does not answer',
    what: 'The site that you sign in at could not be reached, or gave no answer that can be used.',
    advice: 'Try again in a moment. If it stays like this, tell whoever runs it.',
  },
  provider_misconfigured: {
    title: 'Signing in there is not set up right',
    what: 'The site that you sign in at and this one don’t fit together yet.',
    advice: 'Whoever runs this site finds the setting to change in its log.',
  },
  state_mismatch: {
    title: 'This sign-in has expired',
    what: 'The answer belongs to a sign-in that is over, or that was begun in another browser. Nothing was changed.',
    advice: 'Go back to the app and start again; leave cookies allowed for this site.',
  },
  id_token_invalid: {
    title: 'The answer can’t be believed',
    what: 'What came back from the site that you sign in at breaks a rule, so it was not used.',
    advice: 'Try again. If it stays like this, tell whoever runs this site.',
  },
  not_allowed: {
    title: 'This account may not come in',
    what: 'You are signed in there, but that account is not among those that may use this site.',
    advice: 'Sign in there with another account, or ask whoever runs this site.',
  },
  name_taken: {
    title: 'Your account could not be connected',
    what: 'There is an account here already that this way to sign in can’t be connected with.',
    advice: 'Ask whoever runs this site to connect it.',
  },
  groups_overage: {
    title: 'Too many groups',
    what: 'The site that you sign in at names more groups than can be read, so you were not signed in with a part of them.',
    advice: 'Whoever runs this site can limit the groups that are sent.',
  },
  reauthentication_not_proven: {
    title: 'You have to show yourself anew',
    what: 'The app wants a fresh sign-in, and the site that you sign in at does not say that there was one.',
    advice: 'Sign out there, and try again.',
  },
  denied_by_provider: {
    title: 'You were not signed in',
    what: 'The site that you sign in at sent you back without signing you in.',
    advice: 'Try again, or choose another way.',
  },
}

const UNKNOWN = { title: 'You were not signed in', what: 'The sign-in did not work out.', advice: 'Try again.' }

/** What to say on the sign-in page about a reason; undefined for what is none. */
export function providerProblem(reason: string | null): string | undefined {
  const words = reason !== null && Object.hasOwn(WORDS, reason) ? WORDS[reason] : undefined
  return words && `${words.what} ${words.advice} (${reason})`
}

/** A page of its own for a reason. */
export function providerProblemPage(site: string, reason: string): string {
  const words = (Object.hasOwn(WORDS, reason) ? WORDS[reason] : undefined) ?? UNKNOWN
  return errorPage({ site, ...words, code: reason, requestId: undefined })
}

/** A link a provider. Nothing is fetched for them. */
export function providerLinks(providers: readonly PageProvider[]): Html {
  return html`<div class="actions providers">${providers.map(
    ({ name, url }) =>
      html`<a class="button" href="${href(url) ?? '/account'}">Sign in with <bdi>${plainWords(name, 60)}</bdi></a>`,
  )}</div>`
}

interface NameTakenModel extends PageFrame {
  /** Where the person came from. */
  readonly provider: string
  /** The name that is taken or unfit; '' for none. */
  readonly username: string
  /** Takes `username` and `password`; undefined: nobody signs in by password. */
  readonly form: FormTarget | undefined
  readonly providers: readonly PageProvider[]
  readonly problem: string | undefined
}

/** The name is taken: whose account that is signs in to it, and both are connected in one go; everybody else asks the operator. */
export function nameTakenPage(model: NameTakenModel): string {
  const name = plainWords(model.username, 64)
  const title = model.username === '' ? 'You need an account here' : 'This name is taken'
  return pageDocument(
    model,
    model.problem === undefined ? title : `Problem: ${title}`,
    html`<h1>${title}</h1>
<p class="lead">You signed in with <bdi class="name">${plainWords(model.provider, 60)}</bdi>${model.username !== '' && html` as <bdi class="name">${name}</bdi>, and there is an account of that name here already`}${model.username === '' && html`, which names nobody that an account could be called`}.</p>
<p>If an account here is yours, sign in to it once: it is connected then, and you go on. If not, ask whoever runs this site. <small>(name_taken)</small></p>
${model.problem !== undefined && problemNotice(model.problem)}
${model.providers.length > 0 && providerLinks(model.providers)}
${
  model.form &&
  form(
    model.form,
    html`${field({ name: 'username', label: 'Username', type: 'text', autocomplete: 'username', value: model.username.slice(0, 64), maxLength: 256 })}
${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', maxLength: 1024, focused: true })}
<div class="actions"><button class="button primary" type="submit">Sign in and connect</button></div>`,
  )
}`,
  )
}
