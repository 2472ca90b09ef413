import { APP_PASSWORD_CLIENT } from '../clients/reserved.ts'
import { resourceById, seconds, siteOf } from '../context.ts'
import { issuerRequestOf } from '../http/request.ts'
import { redirect, sendPage } from '../http/response.ts'
import { madePage } from '../pages/app-passwords.ts'
import { makeAppPassword } from '../people/app-passwords.ts'
import { withGroups } from '../tokens/provider-standing.ts'
import { stillStands } from './freshness.ts'
import { showOverview } from './overview.ts'
import { ACCOUNT_PATH, ask, isConfirmed, leadBack, posted, refuse, type SignedInRequest } from './request.ts'

const DAY_SECONDS = 86_400
const SILENT = 'Where you sign in does not answer now, so nothing was made. Try again in a moment.'

/** Makes an app password, and shows it this once. */
export async function makeOwnAppPassword(call: SignedInRequest): Promise<void> {
  const { context, request, response, session } = call
  const { appPasswords, resources, origin } = context.settings()
  const resource = resourceById(resources, posted(call, 'resource'))
  if (resource === undefined) return refuse(call, 404, { title: 'Nothing is here', what: 'There is no such service.' })
  const days = Number(posted(call, 'days') || appPasswords.max / DAY_SECONDS)
  const life = Number.isFinite(days) ? Math.min(Math.floor(days * DAY_SECONDS), appPasswords.max) : 0
  const scopes = issuerRequestOf(request).form.getAll('scope')
  // Before anything is given, the provider is asked as it is before a token.
  const standing = await context.federation.standingOfSession(session.uid, 'refresh')
  const account = await context.store.userBySub(session.user.sub)
  if (account === undefined || standing.kind === 'ended') return redirect(response, ACCOUNT_PATH)
  if (standing.kind === 'unavailable')
    return showOverview(call, {
      status: 503,
      notice: { kind: 'problem', text: SILENT },
      retryAfterSeconds: standing.retryAfterSeconds,
    })
  const asked = { user: withGroups(account, standing), resource, scopes, name: posted(call, 'name'), life }
  const made = await makeAppPassword(context.store, asked, appPasswords, seconds(context))
  if (made.kind === 'invalid')
    return showOverview(call, { status: 400, notice: { kind: 'problem', text: made.problem } })
  const { id, gid, name } = made.record
  // Nobody knows the password yet, so that it is never used without the sign-in that it lives by and ends with.
  if (standing.kind === 'good') await context.store.bindAuthorization(gid, APP_PASSWORD_CLIENT, standing.signIn)
  await context.store.bindToSession(gid, session.uid, seconds(context))
  const { sub, username } = session.user
  // What ended the session before that did not find the password.
  if (!(await stillStands(call))) {
    await context.acts.revokeAppPassword(id, sub, { sub })
    return redirect(response, ACCOUNT_PATH)
  }
  await context.record('app_password.added', { id, name, sub, resource: resource.identifier, by: sub })
  const url = context.settings().appPasswordPlaces.get(resource.identifier) ?? origin
  sendPage(
    response,
    200,
    madePage({ site: siteOf(context), name, resource: resource.name, password: made.password, username, url }),
  )
}

/** Ends one of the person's own app passwords, once they have said so twice. */
export async function revokeOwnAppPassword(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const id = posted(call, 'id')
  const [found] = await context.store.appPasswords({ sub, id })
  if (found === undefined) return leadBack(call, { kind: 'gone', what: 'This app password', atMs: context.now() }, sub)
  if (!isConfirmed(call)) {
    return ask(
      call,
      'revoke-app-password',
      { id },
      {
        question: `Revoke ${found.name}?`,
        consequences: ['Whatever uses it loses its access at once, and connections that it holds open are closed.'],
        act: 'Revoke',
      },
    )
  }
  const [entry] = await context.acts.revokeAppPassword(id, sub, { sub })
  const atMs = entry?.notBeforeMs ?? context.now()
  const lastUsedAtMs = found.lastUsedAt === undefined ? undefined : found.lastUsedAt * 1000
  leadBack(call, { kind: 'ended', what: found.name, atMs, lastUsedAtMs }, sub)
}
