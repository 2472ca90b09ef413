import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import type { ModelColumns, Store } from '../store/store.ts'

/** What the adapter asks before it lets something be spent. */
export interface SpendingRules {
  /** Milliseconds. */
  readonly now: () => number
  /** Throws the library's error when the code may not be redeemed now; it stays as it is then. */
  readonly beforeRedeeming: (model: string, id: string, payload: AdapterPayload) => Promise<void>
  /** Called once what {@link SpendingRules.beforeRedeeming} let pass has been spent. */
  readonly afterRedeeming: () => Promise<void>
  /**
   * Whether the row that was spent already is to look unspent to the request in hand: one that came in before the winner was
   * answered, or that repeats what it did not hear. It can't be spent again all the same.
   */
  readonly looksUnspent: (model: string, id: string) => Promise<boolean>
}

const REDEEMED = new Set(['AuthorizationCode', 'DeviceCode'])
/** Models whose rows the library looks up by `uid`; others have the same field for another purpose. */
const WITH_UID = 'Session'

/** The library's storage of one model, on the store. Clients are kept apart. */
export function modelAdapter(store: Store, model: string, rules: SpendingRules): Adapter {
  const shown = async (id: string, payload: Record<string, unknown> | undefined) => {
    if (payload?.consumed === undefined || !(await rules.looksUnspent(model, id))) return payload
    const { consumed: _, ...unspent } = payload
    return unspent
  }
  return {
    upsert: async (id, payload, expiresIn) => {
      const expiresAt = expiresIn === undefined ? undefined : Math.floor(rules.now() / 1000) + expiresIn
      if (model !== 'ReplayDetection') {
        await store.putModel(model, id, storedPayload(model, payload), columnsOf(model, payload), expiresAt)
      } else if (!(await store.addModel(model, id, { ...payload }, expiresAt ?? 0))) {
        throw new errors.InvalidDpopProof('DPoP proof was used before')
      }
    },
    find: async (id) => shown(id, await store.model(model, id)),
    findByUserCode: (userCode) => store.modelByUserCode(model, userCode),
    findByUid: (uid) => store.modelByUid(model, uid),
    consume: async (id) => {
      const payload = REDEEMED.has(model) ? await store.model(model, id) : undefined
      if (payload !== undefined) await rules.beforeRedeeming(model, id, payload)
      if (await store.consumeModel(model, id, Math.floor(rules.now() / 1000))) {
        if (REDEEMED.has(model)) await rules.afterRedeeming()
        return
      }
      if (model === 'PushedAuthorizationRequest') throw new errors.InvalidRequestUri('request_uri was used before')
      throw new errors.InvalidGrant('was redeemed before')
    },
    destroy: (id) => store.deleteModel(model, id),
    revokeByGrantId: (grantId) => store.deleteModelsByGrant(grantId),
  }
}

/**
 * A device code that somebody began to approve can be typed in again: people close tabs. `consumed` is the store's own to
 * keep.
 */
function storedPayload(model: string, payload: AdapterPayload): Record<string, unknown> {
  const { consumed: _, inFlight, ...kept } = payload
  return model === 'DeviceCode' || inFlight === undefined ? kept : { ...kept, inFlight }
}

function columnsOf(model: string, payload: AdapterPayload): ModelColumns {
  return {
    accountId: payload.accountId,
    clientId: payload.clientId,
    grantId: payload.grantId,
    uid: model === WITH_UID ? payload.uid : undefined,
    userCode: payload.userCode,
  }
}
