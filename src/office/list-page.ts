import type { z } from 'zod'
import { type Html, html } from '../issuer/pages/html.ts'
import { apiPath } from './api.ts'
import type { PageContext } from './page-context.ts'
import { type Column, type FilterField, filters, pager, sentOf, table } from './parts.ts'
import type { PageContent } from './shell.ts'

interface Found {
  readonly items: readonly unknown[]
  readonly next?: string | undefined
}

/** A list of the API's as a page: its filter is the query, its place the API's path. */
interface ListOf<List extends Found> {
  /** Below `/admin`, and below the API. */
  readonly place: string
  readonly title: string
  readonly lead?: Html | string | ((found: List) => Html)
  /** What can be done or had here, above the filter. */
  readonly acts?: Html
  readonly fields: readonly FilterField[]
  readonly columns: readonly Column<List['items'][number]>[]
  readonly schema: z.ZodType<List>
  /** What stands in the place of rows; says the next step. @param filtered whether a filter is set. */
  readonly empty: (filtered: boolean) => Html
}

/** The page of a list: acts, filter, rows, and the way to what follows. */
export async function listPage<List extends Found>(context: PageContext, list: ListOf<List>): Promise<PageContent> {
  const { place, title, lead, acts, fields, columns } = list
  const { query } = context
  const names = [...fields.map(({ name }) => name), 'cursor']
  const found = await context.get(apiPath(place, sentOf(query, names)), list.schema)
  const filtered = names.some((name) => query.get(name))
  const here = `/admin${place}`
  return {
    title,
    lead: typeof lead === 'function' ? lead(found) : lead,
    content: html`${acts !== undefined && html`<div class="acts">${acts}</div>`}
${filters(here, fields, query)}
${table<List['items'][number]>(title, columns, found.items, list.empty(filtered))}
${pager(here, query, found.next)}`,
  }
}
