import type { z } from 'zod'
import type { AdminAnswer, AdminCall } from '../admin/admin.ts'
import { type FormTarget, form, hiddenField } from '../issuer/pages/form.ts'
import { type Html, html } from '../issuer/pages/html.ts'
import { type ApiCaller, apiPath, bodyOf, type OperatorApi } from './api.ts'

const LARGEST_PAGE = '200'

/** What a page for an administrator is made from: its address, the API as its caller, forms of its session. */
export interface PageContext {
  /** Of `public_url`. */
  readonly origin: string
  readonly path: string
  readonly query: URLSearchParams
  /** Reads from the API; throws its refusal. */
  get<T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>>
  /** All items of a list, page by page. */
  all<Item>(path: string, schema: z.ZodType<PageOf<Item>>): Promise<readonly Item[]>
  call(call: AdminCall): Promise<AdminAnswer>
  /** A POST form of this session. */
  form(action: string, content: Html, hidden?: Readonly<Record<string, string>>): Html
  /** A form that is one button. */
  button(action: string, label: string, danger?: boolean, hidden?: Readonly<Record<string, string>>): Html
}

interface PageOf<Item> {
  readonly items: readonly Item[]
  readonly next?: string | undefined
}

/** @param guard the anti-forgery value of the session's forms. */
export function createPageContext(
  api: OperatorApi,
  caller: ApiCaller,
  at: Pick<PageContext, 'origin' | 'path' | 'query'> & { readonly guard: string },
): PageContext {
  const target = (action: string, hidden: Readonly<Record<string, string>>): FormTarget => ({
    action,
    hidden: { ...hidden, csrf: at.guard },
  })
  const get: PageContext['get'] = async (path, schema) => bodyOf(await api({ method: 'GET', path }, caller), schema)
  return {
    origin: at.origin,
    path: at.path,
    query: at.query,
    get,
    all: async (path, schema) => {
      const first = await get(apiPath(path, { limit: LARGEST_PAGE }), schema)
      const items = [...first.items]
      for (let { next } = first; next !== undefined; ) {
        const page = await get(apiPath(path, { limit: LARGEST_PAGE, cursor: next }), schema)
        items.push(...page.items)
        next = page.next
      }
      return items
    },
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
