import type { z } from 'zod'
import type { AdminAnswer, AdminCall } from '../admin/admin.ts'
import { type FormTarget, form, hiddenField } from '../issuer/pages/form.ts'
import { type Html, html } from '../issuer/pages/html.ts'
import { type ApiCaller, bodyOf, type OperatorApi } from './api.ts'

/** What a page for an administrator is made from: its address, the API as its caller, forms of its session. */
export interface PageContext {
  readonly path: string
  readonly query: URLSearchParams
  /** Reads from the API; throws its refusal. */
  get<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>>
  call(call: AdminCall): Promise<AdminAnswer>
  /** A POST form of this session. */
  form(action: string, content: Html, hidden?: Readonly<Record<string, string>>): Html
  /** A form that is one button. */
  button(action: string, label: string, danger?: boolean, hidden?: Readonly<Record<string, string>>): Html
}

/** @param guard the anti-forgery value of the session's forms. */
export function createPageContext(
  api: OperatorApi,
  caller: ApiCaller,
  at: { readonly path: string; readonly query: URLSearchParams; readonly guard: string },
): PageContext {
  const target = (action: string, hidden: Readonly<Record<string, string>>): FormTarget => ({
    action,
    hidden: { ...hidden, csrf: at.guard },
  })
  return {
    path: at.path,
    query: at.query,
    get: async (path, schema) => bodyOf(await api({ method: 'GET', path }, caller), schema),
    call: (call) => api(call, caller),
    form: (action, content, hidden = {}) => form(target(action, hidden), content),
    button: (action, label, danger = false, hidden = {}) =>
      form(
        target(action, hidden),
        html`<button class="${danger ? 'button danger' : 'button'}" type="submit">${label}</button>`,
        'inline',
      ),
  }
}

/** The guard as a hidden field. */
export function guardField(guard: string): Html {
  return hiddenField('csrf', guard)
}
