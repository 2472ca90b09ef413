import { siteOf } from '../context.ts'
import { sendPage } from '../http/response.ts'
import { type ConfirmModel, confirmPage } from '../pages/message.ts'
import { ACCOUNT_PATH, type AccountStep, accountForm, type SignedInRequest } from './request.ts'

/** Asks once before an act that ends something. */
export function ask(
  call: SignedInRequest,
  step: AccountStep,
  fields: Readonly<Record<string, string>>,
  words: Pick<ConfirmModel, 'question' | 'consequences' | 'act'>,
): void {
  const page = confirmPage({
    site: siteOf(call.context),
    form: accountForm(call, step, fields),
    account: call.session.user,
    ...words,
    cancelUrl: ACCOUNT_PATH,
  })
  sendPage(call.response, 200, page)
}
