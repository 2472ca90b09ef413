import type { Store } from '../store.ts'
import { appPasswordQueries } from './app-passwords.ts'
import { auditQueries } from './audits.ts'
import { authorizationQueries } from './authorizations.ts'
import { browserSessionQueries } from './browser-sessions.ts'
import { clientQueries } from './clients.ts'
import type { Engine } from './database.ts'
import { factorQueries } from './factors.ts'
import { instanceQueries } from './instances.ts'
import { keyAndCounterQueries } from './keys-and-counters.ts'
import { linkQueries } from './links.ts'
import { listQueries, refusalQueries } from './lists.ts'
import { lockForUnit } from './locks.ts'
import { modelQueries } from './models.ts'
import { providerLinkQueries } from './provider-links.ts'
import { providerSignInQueries } from './provider-sign-ins.ts'
import { revocationQueries } from './revocations.ts'
import { sessionFactQueries } from './session-facts.ts'
import { createUnitsOfWork } from './unit-of-work.ts'
import { userQueries } from './users.ts'

/**
 * The store on an engine, but for what an engine does in its own way.
 * @param now milliseconds since the epoch, for the audit lines of acts, and for their entries where the store is a file.
 * @param origin who writes audit lines.
 */
export function sqlStore(
  engine: Engine,
  now: () => number,
  origin: 'server' | 'command',
): Omit<Store, 'subscribe' | 'close' | 'pool'> {
  const { database, unit, inUnit, whenKept } = createUnitsOfWork(engine)
  return {
    ...userQueries(database),
    ...clientQueries(database),
    ...authorizationQueries(database),
    ...modelQueries(database),
    ...browserSessionQueries(database),
    ...appPasswordQueries(database),
    ...sessionFactQueries(database),
    ...factorQueries(database),
    ...keyAndCounterQueries(database),
    ...instanceQueries(database),
    ...revocationQueries(database, now, origin),
    ...auditQueries(database, origin),
    ...linkQueries(database),
    ...listQueries(database),
    ...refusalQueries(database),
    ...providerLinkQueries(database, now),
    ...providerSignInQueries(database),
    unit,
    whenKept,
    hold: (held) => inUnit((transaction) => lockForUnit(transaction, held)),
  }
}
