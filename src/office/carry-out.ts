import type { AdminAnswer } from '../admin/admin.ts'
import { redirect } from '../issuer/http/response.ts'
import { type Html, html } from '../issuer/pages/html.ts'
import { type Act, actOf } from './acts.ts'
import { refusalOf } from './api.ts'
import { type SignedInRequest, sendOffice, sendToSignIn, showRefusal } from './office-request.ts'
import { newClientPage } from './pages/clients.ts'
import { checkedPage } from './pages/machine.ts'
import { newPersonPage } from './pages/people.ts'

const AGAIN = '/again/'

/** Carries a form out: asks once where it takes something away, and leads to a sign-in where one is demanded. */
export async function carryOut(signedIn: SignedInRequest, path: string, form: URLSearchParams): Promise<void> {
  if (path === '/system/check') return sendOffice(signedIn, await checkedPage(signedIn.context, form.get('text') ?? ''))
  if (path.startsWith(AGAIN)) {
    const kept = await signedIn.parts.signIn.keepsakes.takeForm(path.slice(AGAIN.length), signedIn.session.user.sub)
    if (kept === undefined) return redirect(signedIn.response, `/admin${path}`)
    return run(signedIn, kept.path, new URLSearchParams(kept.form))
  }
  const act = actOf(path, form)
  if (act?.confirm !== undefined && form.get('decision') !== 'approve')
    return ask(signedIn, path, form, act.confirm, act.back)
  return run(signedIn, path, form)
}

async function run(signedIn: SignedInRequest, path: string, form: URLSearchParams): Promise<void> {
  const act = actOf(path, form)
  if (act === undefined) {
    return sendOffice(signedIn, {
      title: 'Nothing is here',
      content: html`<p>This form does not exist.</p>`,
      status: 404,
    })
  }
  const answer = await signedIn.context.call(act.call)
  if (answer.status < 400) return done(signedIn, act, answer)
  const refusal = refusalOf(answer)
  if (refusal.reason === 'insufficient_authentication') return signInAgain(signedIn, path, form, answer)
  const shown = formAgain(signedIn, path, form, refusal.message)
  return shown === undefined
    ? showRefusal(signedIn, refusal)
    : sendOffice(signedIn, { ...(await shown), status: answer.status })
}

/** What is shown once is in the answer's page; no address may hold it. */
function done(signedIn: SignedInRequest, { back, done: key }: Act, { body }: AdminAnswer): void {
  const secret =
    member(body, 'client_secret') ?? member(body, 'url') ?? member(Reflect.get(Object(body), 'link'), 'url')
  if (secret === undefined) {
    redirect(signedIn.response, `${back}?done=${key}`)
    return
  }
  const isLink = secret.startsWith('http')
  const until = member(body, 'expires_at') ?? member(Reflect.get(Object(body), 'link'), 'expires_at')
  const mail = mailOf(body)
  sendOffice(signedIn, {
    title: isLink ? 'Send this link' : 'Keep this secret',
    lead: 'It is shown this once and can’t be had again.',
    content: html`<div class="secret"><code data-copy="">${secret}</code>${until !== undefined && html`<p>It works once, until ${until.slice(0, 16).replace('T', ' ')} UTC.</p>`}</div>
${mail !== undefined && html`<p class="notice ${mail.sent ? 'done' : 'problem'}">${mail.sent ? 'It was sent by mail, too.' : `It was not sent by mail: ${mail.problem}`}</p>`}
<p class="acts"><a class="button primary" href="${back}">I have it, go on</a></p>`,
  })
}

/** What became of the mail; undefined where none was asked for. */
function mailOf(body: unknown): { readonly sent: boolean; readonly problem: string } | undefined {
  const mail: unknown =
    Reflect.get(Object(body), 'mail') ?? Reflect.get(Object(Reflect.get(Object(body), 'link')), 'mail')
  if (typeof mail !== 'object' || mail === null) return undefined
  return { sent: Reflect.get(mail, 'sent') === true, problem: member(mail, 'problem') ?? 'no reason was given' }
}

function member(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : undefined
}

async function signInAgain(
  signedIn: SignedInRequest,
  path: string,
  form: URLSearchParams,
  { body }: AdminAnswer,
): Promise<void> {
  const { keepsakes } = signedIn.parts.signIn
  const id = await keepsakes.keepForm({ sub: signedIn.session.user.sub, path, form: form.toString() })
  const age: unknown = Reflect.get(Object(body), 'max_age')
  const again = { maxAge: typeof age === 'number' ? age : 0, acr: member(body, 'acr_values') ?? 'pwd' }
  sendToSignIn(signedIn.parts, signedIn.response, `/admin${AGAIN}${id}`, again)
}

/** The form that was filled in, with what was wrong; undefined where it was one button. */
function formAgain(signedIn: SignedInRequest, path: string, form: URLSearchParams, problem: string) {
  const context = { ...signedIn.context, query: form }
  if (path === '/people') return newPersonPage(context, problem)
  return path === '/clients' ? newClientPage(context, problem) : undefined
}

function ask(
  signedIn: SignedInRequest,
  path: string,
  form: URLSearchParams,
  { question, consequences, label }: NonNullable<Act['confirm']>,
  back: string,
): void {
  const items: readonly Html[] = consequences.map((text) => html`<li>${text}</li>`)
  const hidden = { ...Object.fromEntries(form), decision: 'approve' }
  sendOffice(signedIn, {
    title: question,
    content: html`<ul>${items}</ul><div class="acts">${signedIn.context.button(`/admin${path}`, label, true, hidden)}<a class="button" href="${back}">No, go back</a></div>`,
  })
}
