import { siteOf } from '../context.ts'
import type { FormTarget } from '../pages/form.ts'
import { passwordDuePage } from '../pages/password-due.ts'
import { ANEW_FIELD, sealedRequest } from './begin-anew.ts'
import { finish, type InteractionContext, sendExpired, sendInteractionPage } from './context.ts'
import { formTarget } from './form-target.ts'

/** Says that a new password comes first, and where to choose it. */
export function showPasswordDue(visit: InteractionContext): void {
  const { context, user } = visit
  if (user === undefined) {
    sendExpired(context, visit.response)
    return
  }
  const page = passwordDuePage({
    site: siteOf(context),
    account: user,
    goOn: goOnForm(visit),
    switchAccount: formTarget(visit, 'switch'),
  })
  sendInteractionPage(visit, 200, page)
}

/** Goes on with what was begun; whether there is a new password is looked at again. */
export async function goOn(visit: InteractionContext): Promise<void> {
  if (visit.interaction.prompt.name !== 'new_password') return sendExpired(visit.context, visit.response)
  await finish(visit, { new_password: {} })
}

function goOnForm(visit: InteractionContext): FormTarget {
  const { action, hidden } = formTarget(visit, 'go-on')
  const anew = sealedRequest(visit)
  return { action, hidden: anew === undefined ? hidden : { ...hidden, [ANEW_FIELD]: anew } }
}
