import type { Store } from '../store/store.ts'

const MODEL = 'AuthorizationLabel'
/** As long as the longest-lived code. */
const KEPT_SECONDS = 900

/** Keeps what the person knows the device by until the authorization is redeemed. @param now NumericDate, seconds. */
export async function keepLabel(store: Store, gid: string, label: string, now: number): Promise<void> {
  await store.putModel(MODEL, gid, { label }, {}, now + KEPT_SECONDS)
}

/** The label kept for an authorization; '' for none, and for one that has its record already. */
export async function takeLabel(store: Store, gid: string): Promise<string> {
  const [recorded] = await store.authorizations({ gid })
  if (recorded !== undefined) return recorded.label
  const kept = await store.model(MODEL, gid)
  return typeof kept?.label === 'string' ? kept.label : ''
}
