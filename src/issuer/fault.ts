import { StoreError } from '../store/store.ts'

/** What may be told of a fault: never what a client sent. */
export function faultOf(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { fault: 'unknown' }
  const hint = error instanceof StoreError ? { hint: error.hint } : {}
  return { fault: error.name, message: error.message, ...hint }
}
