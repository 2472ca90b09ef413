import { createHash, randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import type { AuthenticatorRecord, PasskeyRecord } from '../../store/factor-store.ts'
import type { Store } from '../../store/store.ts'
import { seal, unseal } from '../keys/sealing.ts'

/** What was shown beside the password. */
type ShownFactor = 'code' | 'recovery'

/** What somebody has beside a password. */
export interface FactorStanding {
  readonly app: boolean
  readonly passkeys: readonly PasskeyRecord[]
  /** Recovery codes that are left. */
  readonly codes: number
}

/** What people show beside their password: codes of an app (RFC 6238), recovery codes, passkeys. */
export interface SecondFactors {
  /** Whether a password alone is not enough: there is an app, or a passkey. */
  has(sub: string): Promise<boolean>
  standing(sub: string): Promise<FactorStanding>
  /** A new secret, in base32; nothing is kept of it. */
  makeSecret(): string
  /** What an app reads the secret from. */
  uri(secret: string, username: string, site: string): string
  /**
   * Puts an app in force that has shown its first code: answers recovery codes, this once; else what was wrong. @param keepCodes there are
   * recovery codes, which stand; none are answered.
   */
  enrol(sub: string, secret: string, code: string, keepCodes?: boolean): Promise<readonly string[] | 'wrong' | 'there'>
  /** Puts an app that has shown its first code in the place of the one that there is. */
  replace(sub: string, secret: string, code: string): Promise<'replaced' | 'wrong' | 'gone'>
  /** Whether the typed text is a code of the person's; it is used up then. Tries are NOT slowed here. */
  spend(sub: string, typed: string): Promise<ShownFactor | undefined>
  /** New recovery codes in place of those before, this once; undefined where there is nothing to recover. */
  makeCodes(sub: string): Promise<readonly string[] | undefined>
  /** False when there was none. */
  remove(sub: string): Promise<boolean>
}

const SECRET_BYTES = 20
const PERIOD_SECONDS = 30
const CODES = 8
const PURPOSE = 'authenticator'
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** @param now milliseconds. */
export function createSecondFactors(store: Store, masterKey: Buffer, now: () => number): SecondFactors {
  const stepOf = (secret: string, code: string): number | undefined => {
    const delta = totpOf(secret).validate({ token: code, timestamp: now(), window: 1 })
    return delta === null ? undefined : Math.floor(now() / 1000 / PERIOD_SECONDS) + delta
  }
  const spendCode = async (sub: string, code: string): Promise<boolean> => {
    const kept = await store.authenticator(sub)
    const secret = kept === undefined ? undefined : unseal(masterKey, PURPOSE, kept.sealed)
    const step = secret === undefined ? undefined : stepOf(secret, code)
    return kept !== undefined && step !== undefined && store.spendStep(sub, kept.sealed, step)
  }
  const has = async (sub: string): Promise<boolean> =>
    (await store.authenticator(sub)) !== undefined || (await store.passkeys(sub)).length > 0
  /** The app as it is kept, once it has shown a code. */
  const provenApp = (sub: string, secret: string, typed: string): AuthenticatorRecord | undefined => {
    const code = digitsOf(typed)
    const step = code === undefined ? undefined : stepOf(secret, code)
    if (step === undefined) return undefined
    return { sub, sealed: seal(masterKey, PURPOSE, secret), lastStep: step, createdAt: Math.floor(now() / 1000) }
  }
  return {
    has,
    standing: async (sub) => ({
      app: (await store.authenticator(sub)) !== undefined,
      passkeys: await store.passkeys(sub),
      codes: await store.recoveryCodes(sub),
    }),
    replace: async (sub, secret, typed) => {
      const record = provenApp(sub, secret, typed)
      if (record === undefined) return 'wrong'
      return (await store.replaceAuthenticator(record)) ? 'replaced' : 'gone'
    },
    makeSecret: () => new Secret({ buffer: new Uint8Array(randomBytes(SECRET_BYTES)).buffer }).base32,
    uri: (secret, username, site) => totpOf(secret, username, site).toString(),
    enrol: async (sub, secret, typed, keepCodes = false) => {
      const record = provenApp(sub, secret, typed)
      if (record === undefined) return 'wrong'
      const codes = keepCodes ? [] : Array.from({ length: CODES }, makeRecoveryCode)
      return (await store.addAuthenticator(record, keepCodes ? undefined : codes.map(hashOf))) ? codes : 'there'
    },
    spend: async (sub, typed) => {
      const code = digitsOf(typed)
      if (code !== undefined) return (await spendCode(sub, code)) ? 'code' : undefined
      return (await store.spendRecoveryCode(sub, hashOf(typed))) ? 'recovery' : undefined
    },
    makeCodes: async (sub) => {
      if (!(await has(sub))) return undefined
      const codes = Array.from({ length: CODES }, makeRecoveryCode)
      await store.putRecoveryCodes(sub, codes.map(hashOf))
      return codes
    },
    remove: (sub) => store.removeAuthenticator(sub),
  }
}

function totpOf(secret: string, label = '', issuer = ''): TOTP {
  return new TOTP({
    secret: Secret.fromBase32(secret),
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_SECONDS,
    label,
    issuer,
  })
}

/** Apps show codes in two halves. */
function digitsOf(typed: string): string | undefined {
  const code = typed.normalize('NFKC').replace(/[\s-]/g, '')
  return /^\d{6}$/.test(code) ? code : undefined
}

/** Five groups of five base32 signs: 125 bits. */
function makeRecoveryCode(): string {
  const signs = [...randomBytes(25)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
  return signs.replace(/(.{5})(?=.)/g, '$1-')
}

/** SHA-256 is enough for 125 bits of chance. */
function hashOf(code: string): string {
  const signs = code.normalize('NFKC').toUpperCase().replace(/[\s-]/g, '').slice(0, 64)
  return createHash('sha256').update(signs).digest('base64url')
}
