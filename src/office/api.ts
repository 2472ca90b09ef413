import type { z } from 'zod'
import type { AdminAnswer, AdminCall } from '../admin/admin.ts'

/** Who calls: the person's token, and where the browser is. */
export interface ApiCaller {
  readonly token: string
  readonly address: string
  readonly requestId: string
}

/** The API in this process; judges the token as it would one from the network. */
export type OperatorApi = (call: AdminCall, caller: ApiCaller) => Promise<AdminAnswer>

/** What the API answered instead of what a page needs. */
export class ApiRefusal extends Error {
  readonly status: number
  readonly reason: string

  constructor(status: number, reason: string, detail: string) {
    super(detail)
    this.status = status
    this.reason = reason
  }
}

/** The answer as a page reads it; throws the refusal otherwise. */
export function bodyOf<T extends z.ZodType>(answer: AdminAnswer, schema: T): z.output<T> {
  if (answer.status >= 400) throw refusalOf(answer)
  return schema.parse(answer.body)
}

/** The problem document of an answer. */
export function refusalOf({ status, body }: AdminAnswer): ApiRefusal {
  const member = (name: string): string => {
    const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
    return typeof value === 'string' ? value : ''
  }
  return new ApiRefusal(status, member('reason') || 'unknown', member('detail') || 'The gateway gave no reason.')
}

/** A path of the API with its query; empty values are left out. */
export function apiPath(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1])
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`
}
