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
  /** Runs `work`, then `whenSilent` if neither it nor what it began has told the log of anything. */
  speaking(work: () => Promise<void>, whenSilent: () => Promise<void>): Promise<void>
  /** Says of the request in hand that what it answers needs no line. */
  passOver(): void
  /** Writes down how often what was kept once has come again. To be called every minute or so, and at the end. */
  flush(): Promise<void>
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
  const requests = new AsyncLocalStorage<{ recorded: boolean }>()
  const repeated = new Map<string, Repeated>()
  const seconds = (): number => Math.floor(now() / 1000)
  const tell: AuditTrail['tell'] = (event, detail, level = 'info') => {
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
    record: async (event, detail, level = 'info') => {
      const stranger = isStrangers(event, detail)
      const said = stranger ? clipped(detail) : detail
      tell(event, said, level)
      await (stranger ? keepStrangers(event, said) : store.audit(event, said, seconds()))
    },
    speaking: (work, whenSilent) =>
      requests.run({ recorded: false }, async () => {
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
