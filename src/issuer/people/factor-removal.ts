import type { Store, UserRecord } from '../../store/store.ts'
import { everything, line, type Stamp, whole } from '../acting.ts'
import { hasSecond, type WaysSettings, waysOf } from './factor-rules.ts'

/** The app has no id of its own: there is one a person. */
export const AUTHENTICATOR = 'authenticator'
/** Likewise the password, and the recovery codes as a whole: an operator may take them away. */
const PASSWORD = 'password'
const RECOVERY_CODES = 'recovery_codes'

/** Which factor of whom goes, and what else holds. */
interface Removal {
  readonly user: UserRecord
  /** {@link AUTHENTICATOR}, {@link PASSWORD}, {@link RECOVERY_CODES}, or a passkey's. */
  readonly id: string
  readonly ways: WaysSettings
  /** Whether passkeys are offered. */
  readonly offered: boolean
  /** Whether the account may do without any; an operator may take the last one away. */
  readonly mayEndLast: boolean
  /** Whether the next first one has to come by a link: an operator took it away, and a password alone must not bring one back. */
  readonly thenByLink: boolean
  /** For the audit line. */
  readonly detail: Readonly<Record<string, unknown>>
  /** NumericDate, seconds. */
  readonly at: number
  /** Whether whoever wants it may still; undefined: nothing can have changed that. */
  readonly stands?: () => Promise<boolean>
  /** Whether the person was asked for no password because another second factor stays; undefined: nobody is asked. */
  readonly staysSecond?: boolean
  /** Ends all sessions and tokens of the person in the same step; undefined: they go on. */
  readonly endsAllAt?: Stamp | undefined
}

/** `last_sign_in`: nothing else would open the account. `required`: it is the last second factor, and there has to be one. `ended`: whoever wants it may not any more. `alone`: none stays any more. */
export type Removed = 'removed' | 'unknown' | 'last_sign_in' | 'required' | 'ended' | 'alone'

/** Removes a factor with its audit line, in one step; of two at the same time the second sees what the first has left. */
export function removeFactor(store: Store, removal: Removal): Promise<Removed> {
  return store.unit(
    () => remove(store, removal),
    (result) => result === 'removed',
  )
}

async function remove(store: Store, removal: Removal): Promise<Removed> {
  const { id, detail, at } = removal
  const { sub } = removal.user
  await store.hold({ wholeSub: sub })
  if ((await removal.stands?.()) === false) return 'ended'
  const held = (await store.userBySub(sub)) ?? removal.user
  if (!(await take(store, held, id))) return 'unknown'
  const user = id === PASSWORD ? { ...held, passwordHash: undefined } : held
  const ways = await waysOf(store, user, removal.ways, removal.offered)
  if (!ways.password && ways.passkeys === 0 && ways.providers.length === 0) return 'last_sign_in'
  const app = (await store.authenticator(sub)) !== undefined
  const second = hasSecond({ app, passkeys: await store.passkeys(sub), codes: 0 })
  if (!second && !removal.mayEndLast) return 'required'
  if (!second && removal.staysSecond === true) return 'alone'
  if (!second && removal.thenByLink && isSecond(id)) await store.markFactorReset(sub, at)
  const named = NAMED.has(id) ? { factor: id } : { factor: 'passkey', id }
  const said = line('factor.removed', { sub, ...named, ...detail })
  const stamp = removal.endsAllAt
  if (stamp === undefined) await store.audit(said.event, said.detail, at)
  else {
    const setUser = id === PASSWORD ? { setUser: { sub, passwordHash: undefined } } : {}
    await store.act({ ...whole({ ...everything(sub, stamp), ...setUser, audit: said }), asOfMs: stamp.notBeforeMs })
  }
  return 'removed'
}

const NAMED: ReadonlySet<string> = new Set([AUTHENTICATOR, PASSWORD, RECOVERY_CODES])

function isSecond(id: string): boolean {
  return id !== PASSWORD && id !== RECOVERY_CODES
}

/** False where there is no such factor. The password goes with the act. */
async function take(store: Store, { sub, passwordHash }: UserRecord, id: string): Promise<boolean> {
  if (id === PASSWORD) return passwordHash !== undefined
  if (id === AUTHENTICATOR) return store.removeAuthenticator(sub)
  if (id !== RECOVERY_CODES) return store.removePasskey(sub, id)
  if ((await store.recoveryCodes(sub)) === 0) return false
  await store.putRecoveryCodes(sub, [])
  return true
}
