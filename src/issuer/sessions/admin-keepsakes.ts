import { randomBytes } from 'node:crypto'
import type { AdminKeepsakes } from '../admin-session.ts'
import type { IssuerContext } from '../context.ts'
import { seal, unseal } from '../keys/sealing.ts'

const FORM = 'AdminForm'
const TICKET = 'AdminTicket'
const FORM_MS = 5 * 60_000
const TICKET_MS = 60_000
const PURPOSE = 'admin stream ticket'
const ID = /^[\w-]{24}$/

interface Ticket {
  readonly id: string
  readonly guard: string
  /** Milliseconds. */
  readonly until: number
}

/** Keepsakes in the store, each under a secret id. */
export function createAdminKeepsakes({
  store,
  masterKey,
  now,
}: Pick<IssuerContext, 'store' | 'masterKey' | 'now'>): AdminKeepsakes {
  const look: AdminKeepsakes['lookForm'] = async (id, sub) => {
    const kept = ID.test(id) ? await store.model(FORM, id) : undefined
    if (kept === undefined || kept.consumed !== undefined || kept.sub !== sub) return undefined
    return Number(kept.until) > now() ? { sub, path: String(kept.path), form: String(kept.form) } : undefined
  }
  return {
    keepForm: async (form) => {
      const id = randomBytes(18).toString('base64url')
      const until = now() + FORM_MS
      await store.putModel(FORM, id, { ...form, until }, { accountId: form.sub }, Math.ceil(until / 1000))
      return id
    },
    lookForm: look,
    takeForm: async (id, sub) => {
      const found = await look(id, sub)
      if (found === undefined) return undefined
      return (await store.consumeModel(FORM, id, Math.floor(now() / 1000))) ? found : undefined
    },
    makeTicket: (guard) => {
      const ticket: Ticket = { id: randomBytes(16).toString('base64url'), guard, until: now() + TICKET_MS }
      return seal(masterKey, PURPOSE, JSON.stringify(ticket))
    },
    spendTicket: async (sealed, guard) => {
      const text = unseal(masterKey, PURPOSE, sealed)
      if (text === undefined) return false
      const ticket: Ticket = JSON.parse(text)
      if (ticket.guard !== guard || ticket.until <= now()) return false
      return store.addModel(TICKET, ticket.id, {}, Math.ceil(ticket.until / 1000))
    },
  }
}
