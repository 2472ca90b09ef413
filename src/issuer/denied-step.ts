import { siteOf } from './issuer-context.ts'
import { pageClient } from './library-pages.ts'
import { sendPage } from './page-answer.ts'
import { deniedPage } from './pages/denied.ts'
import { formActions, formTarget, showSignIn } from './sign-in-step.ts'
import { finish, type Visit, viewOf } from './visit.ts'

/** The page that says why the person may have nothing of what was asked, and which groups would do. */
export async function showDenied(visit: Visit): Promise<void> {
  const { context, client, redirectUri, user } = visit
  if (user === undefined) return showSignIn(visit)
  const { offers } = await viewOf(visit, user)
  const resources = offers.map(({ resource, withheld }) => ({
    name: resource.name,
    identifier: resource.identifier,
    groups: [...new Set(withheld.flatMap(({ groups }) => groups))],
  }))
  await context.record('authorization.denied', {
    sub: user.sub,
    client: client.id,
    resources: resources.map(({ identifier }) => identifier),
    missing: resources.flatMap(({ groups }) => groups),
  })
  const page = deniedPage({
    site: siteOf(context),
    form: formTarget(visit, 'deny'),
    client: pageClient(client, redirectUri),
    account: { username: user.username, displayName: user.displayName },
    switchAccount: formTarget(visit, 'switch'),
    resources,
  })
  sendPage(visit.response, 200, page, { formAction: formActions(visit) })
}

/** Goes back to the client with `access_denied`. */
export async function denyAccess(visit: Visit): Promise<void> {
  const { context, client, interaction, user } = visit
  const denied = interaction.prompt.name === 'denied'
  if (interaction.prompt.name === 'consent') {
    await context.record('consent.denied', { sub: user?.sub, client: client.id })
  }
  const description = denied ? 'the person may not have any of what was asked for' : 'the person did not allow it'
  await finish(visit, { error: 'access_denied', error_description: description })
}
