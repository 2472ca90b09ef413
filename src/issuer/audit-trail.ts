import { AsyncLocalStorage } from 'node:async_hooks'
import { addressGroup } from '../core/address.ts'
import type { Store } from '../store/store.ts'
import type { IssuerEvent } from './issuer.ts'

type Detail = Readonly<Record<string, unknown>>

/** Keeps audit lines. Never a token, code, password or secret in `detail`. */
export interface AuditTrail {
  /** Keeps a line and tells the log. In a unit of work of the store both happen with it, or neither does. */
  record(event: string, detail: Detail, level?: IssuerEvent['level']): Promise<void>
  /** Tells the log alone: for what an act has kept already. In a unit of work: when that is in force. Faults (`error`) at once. */
  tell(event: string, detail: Detail, level?: IssuerEvent['level']): void
  /**
   * Runs `work` for a request, then `whenSilent` if neither it nor what it began has told the log of anything. What somebody does in it (`by`) is
   * kept and told with the request that it was done by.
   */
  speaking(request: Asking, work: () => Promise<void>, whenSilent: () => Promise<void>): Promise<void>
  /** What is said of an act, with the request in hand: for acts that keep their line themselves. */
  ofRequest(detail: Detail): Detail
  /** Says of the request in hand that what it answers needs no line. */
  passOver(): void
  /** Writes down how often what was kept once has come again. To be called every minute or so, and at the end. */
  flush(): Promise<void>
}

/** Which request it is that something is done by. */
interface Asking {
  readonly requestId: string | undefined
  readonly address: string
}

interface RequestInHand extends Asking {
  recorded: boolean
}

/** What anybody can cause without an account, as often as they like. */
const STRANGERS: ReadonlySet<string> = new Set([
  'login.failure',
  'login.throttled',
  'client.registered',
  'device.asked',
  'federation.logout_token',
])
const LONGEST_TEXT = 256
/** Kinds of line that are counted at the same time; beyond it lines differ by their event alone. */
const MOST_KINDS = 1_000

interface Repeated {
  readonly event: string
  readonly detail: Detail
  count: number
}

/**
 * The audit trail over the store. Strangers' lines are marked, so that they never push others out; the first of a kind is kept at
 * once, those that follow within a minute are counted and kept as one.
 * @param now milliseconds.
 */
export function createAuditTrail(store: Store, now: () => number, onEvent: (event: IssuerEvent) => void): AuditTrail {
  const requests = new AsyncLocalStorage<RequestInHand>()
  const repeated = new Map<string, Repeated>()
  const seconds = (): number => Math.floor(now() / 1000)
  const ofRequest = (detail: Detail): Detail => {
    const { requestId, address } = requests.getStore() ?? {}
    if (detail.by === undefined || address === undefined) return detail
    return { ...detail, ...(requestId === undefined ? {} : { request_id: requestId }), address, ...detail }
  }
  const tell: AuditTrail['tell'] = (event, told, level = 'info') => {
    const detail = ofRequest(told)
    const request = requests.getStore()
    const say = (): void => {
      if (request !== undefined) request.recorded = true
      onEvent({ level, event, detail })
    }
    // A fault is one whatever comes of the step that it is met in.
    if (level === 'error') say()
    else store.whenKept(say)
  }
  const keepStrangers = async (event: string, detail: Detail): Promise<void> => {
    const key = kindOf(event, repeated.size < MOST_KINDS ? detail : {})
    const before = repeated.get(key)
    if (before !== undefined) before.count += 1
    else {
      repeated.set(key, { event, detail, count: 0 })
      await store.audit(event, detail, seconds(), true)
    }
  }
  return {
    tell,
    ofRequest,
    record: async (event, detail, level = 'info') => {
      const stranger = isStrangers(event, detail)
      const said = stranger ? clipped(detail) : ofRequest(detail)
      tell(event, said, level)
      await (stranger ? keepStrangers(event, said) : store.audit(event, said, seconds()))
    },
    speaking: (request, work, whenSilent) =>
      requests.run({ ...request, recorded: false }, async () => {
        await work()
        if (requests.getStore()?.recorded === false) await whenSilent()
      }),
    passOver: () => {
      const request = requests.getStore()
      if (request !== undefined) request.recorded = true
    },
    flush: async () => {
      const lines = [...repeated.values()].filter(({ count }) => count > 0)
      repeated.clear()
      for (const { event, detail, count } of lines) {
        await store.audit(event, { ...detail, count }, seconds(), true)
      }
    },
  }
}

/** Somebody who is signed in (`by`) is no stranger. */
function isStrangers(event: string, detail: Detail): boolean {
  return detail.by === undefined && (STRANGERS.has(event) || event.endsWith('.refused'))
}

function kindOf(event: string, detail: Detail): string {
  const { client, sub, username, error, status, provider, outcome, reason, factor, fault, address } = detail
  const from = typeof address === 'string' ? addressGroup(address).wide : ''
  return JSON.stringify([event, client, sub, username, error, status, provider, outcome, reason, factor, fault, from])
}

function clipped(detail: Detail): Detail {
  return Object.fromEntries(
    Object.entries(detail).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > LONGEST_TEXT ? value.slice(0, LONGEST_TEXT) : value,
    ]),
  )
}
