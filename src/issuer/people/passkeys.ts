import { randomBytes } from 'node:crypto'
import { relyingPartyOf } from '../../core/relying-party.ts'
import type { PasskeyRecord } from '../../store/factor-store.ts'
import type { Store, UserRecord } from '../../store/store.ts'
import { CEREMONY_MS, type Ceremony, createCeremonies } from './ceremonies.ts'
import { ALGORITHMS, isOwn, readAssertion, readNew, verifyAssertion } from './passkey-answers.ts'

/** What a browser's page brings back. */
export interface CeremonyAnswer {
  /** Where it was asked; see `Asked`. */
  readonly place: string
  readonly sealed: string
  /** A PublicKeyCredential as JSON. */
  readonly response: string
}

/** Why an assertion is refused, for the audit; people learn that it was. */
type PasskeyFault = 'challenge' | 'unknown' | 'other_person' | 'not_verified' | 'counter' | 'backup_eligibility'

type PasskeySignIn =
  | { readonly kind: 'ok'; readonly user: UserRecord; readonly passkey: PasskeyRecord }
  /** `sub`: whose passkey it was said to be, once its signature was good. */
  | { readonly kind: 'refused'; readonly fault: PasskeyFault; readonly sub: string | undefined }

type PasskeyAdded =
  | { readonly kind: 'added'; readonly passkey: PasskeyRecord }
  | { readonly kind: 'refused' | 'too_many' | 'there' }

/** Passkeys (WebAuthn Level 3): made for people, and asked for. */
export interface Passkeys {
  /** Whether they are on, and browsers make them for this origin. */
  offered(): boolean
  /** Asks the browser for a new one. */
  beginAdding(user: UserRecord, place: string): Promise<Ceremony>
  /** Keeps the new one. Whether the person may add one is NOT checked. */
  add(user: UserRecord, answer: CeremonyAnswer, name: string): Promise<PasskeyAdded>
  /** Asks for one of anybody's, or of this person's. */
  beginSignIn(place: string, sub?: string): Promise<Ceremony>
  /** Whose passkey it is that answered. Sessions are NOT begun, and what the account's other factors say is not asked. */
  signIn(answer: CeremonyAnswer): Promise<PasskeySignIn>
}

export const MOST_PASSKEYS = 20
const LONGEST_NAME = 64

/** What passkeys depend on; read at each use. */
interface PasskeyParts {
  readonly store: Store
  readonly masterKey: Buffer
  /** Milliseconds. */
  readonly now: () => number
  readonly settings: () => { readonly origin: string; readonly passkeys: boolean }
}

/** Passkeys of one origin: its host is the RP ID. */
export function createPasskeys(parts: PasskeyParts): Passkeys {
  const { store, masterKey, now, settings } = parts
  const ceremonies = createCeremonies(store, masterKey, now)
  const party = (): string => (settings().passkeys ? (relyingPartyOf(settings().origin) ?? '') : '')
  return {
    offered: () => party() !== '',
    beginAdding: async (user, place) => {
      const { generateRegistrationOptions } = await import('@simplewebauthn/server')
      const { challenge, sealed } = ceremonies.begin({ kind: 'create', place, sub: user.sub })
      const options = await generateRegistrationOptions({
        rpName: new URL(settings().origin).host,
        rpID: party(),
        userName: user.username,
        userDisplayName: user.displayName ?? user.username,
        userID: new Uint8Array(Buffer.from(user.sub)),
        challenge,
        timeout: CEREMONY_MS,
        attestationType: 'none',
        excludeCredentials: described(await store.passkeys(user.sub)),
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        supportedAlgorithmIDs: [...ALGORITHMS],
      })
      return { options: JSON.stringify(options), sealed }
    },
    add: async (user, answer, name) => {
      const asked = await ceremonies.take(answer.sealed, 'create', answer.place)
      if (asked?.sub !== user.sub || party() === '') return { kind: 'refused' }
      const made = await readNew(answer.response, asked, { origin: settings().origin, party: party() })
      if (made === undefined) return { kind: 'refused' }
      const passkey: PasskeyRecord = {
        ...made,
        id: `pk_${randomBytes(12).toString('base64url')}`,
        sub: user.sub,
        name: passkeyName(name) ?? 'Passkey',
        createdAt: Math.floor(now() / 1000),
        lastUsedAt: undefined,
      }
      const kind = await store.addPasskey(passkey, MOST_PASSKEYS)
      return kind === 'added' ? { kind, passkey } : { kind }
    },
    beginSignIn: async (place, sub) => {
      const { generateAuthenticationOptions } = await import('@simplewebauthn/server')
      const { challenge, sealed } = ceremonies.begin({ kind: 'get', place, sub })
      const options = await generateAuthenticationOptions({
        rpID: party(),
        challenge,
        timeout: CEREMONY_MS,
        userVerification: 'required',
        ...(sub !== undefined && { allowCredentials: described(await store.passkeys(sub)) }),
      })
      return { options: JSON.stringify(options), sealed }
    },
    signIn: async (answer) => {
      const refused = (fault: PasskeyFault, sub?: string) => ({ kind: 'refused', fault, sub }) as const
      if (party() === '') return refused('challenge')
      const response = readAssertion(answer.response)
      const passkey = response === undefined ? undefined : await store.passkeyByCredential(response.id)
      if (response === undefined || passkey === undefined) return refused('unknown')
      const asked = await ceremonies.take(answer.sealed, 'get', answer.place)
      if (asked === undefined) return refused('challenge')
      const user = await store.userBySub(passkey.sub)
      if (user === undefined || user.disabled) return refused('unknown')
      if (!isOwn(response, asked, passkey)) return refused('other_person')
      const used = await verifyAssertion(response, asked, passkey, { origin: settings().origin, party: party() })
      if (used === undefined) return refused('not_verified')
      if (used.backupEligible !== passkey.backupEligible) return refused('backup_eligibility', passkey.sub)
      const counts = used.counter !== 0 || passkey.counter !== 0
      if (counts && used.counter <= passkey.counter) return refused('counter', passkey.sub)
      const noted = await store.usePasskey(passkey.id, passkey.counter, { ...used, at: Math.floor(now() / 1000) })
      return noted ? { kind: 'ok', user, passkey } : refused('counter', passkey.sub)
    },
  }
}

/** A name for a passkey as people type it; undefined for one that can't be shown. */
export function passkeyName(typed: string): string | undefined {
  const name = typed.normalize('NFKC').trim()
  return name === '' || [...name].length > LONGEST_NAME || /[\p{C}\p{Zl}\p{Zp}]/u.test(name) ? undefined : name
}

function described(passkeys: readonly PasskeyRecord[]): { id: string; transports: string[] }[] {
  return passkeys.map(({ credentialId, transports }) => ({ id: credentialId, transports: [...transports] }))
}
