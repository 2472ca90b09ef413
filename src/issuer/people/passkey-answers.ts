import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import type { PasskeyRecord } from '../../store/factor-store.ts'
import type { Asked } from './ceremonies.ts'

/** EdDSA, ES256 and RS256 as COSE numbers them. */
export const ALGORITHMS: readonly number[] = [-8, -7, -257]

/** 1023 bytes, base64url (WebAuthn §7.1). */
const LONGEST_ID = 1364

/** Whose origin and RP ID an answer has to name. */
interface Party {
  readonly origin: string
  readonly party: string
}

/** What is kept of a credential that was made. */
type NewCredential = Pick<
  PasskeyRecord,
  'credentialId' | 'publicKey' | 'counter' | 'backupEligible' | 'backedUp' | 'transports'
>

/** What the browser has made; undefined where it is not what was asked for. The library throws for each rule that is broken. */
export async function readNew(
  text: string,
  { challenge }: Asked,
  { origin, party }: Party,
): Promise<NewCredential | undefined> {
  const response = parsed<RegistrationResponseJSON>(text)
  // Said by browsers that know: the device kept nothing that it could find without being told.
  if (response === undefined || isFramed(response) || response.clientExtensionResults?.credProps?.rk === false)
    return undefined
  try {
    const { verifyRegistrationResponse } = await import('@simplewebauthn/server')
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: party,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...ALGORITHMS],
    })
    if (!verified || registrationInfo.credential.id.length > LONGEST_ID) return undefined
    const { credential, credentialDeviceType, credentialBackedUp } = registrationInfo
    return {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      backupEligible: credentialDeviceType === 'multiDevice',
      backedUp: credentialBackedUp,
      transports: transportsOf(response.response.transports),
    }
  } catch {
    return undefined
  }
}

/** Told by the browser and given back to it: words of its own, a few at most. */
function transportsOf(transports: unknown): readonly string[] {
  const all = Array.isArray(transports) ? transports : []
  return all.filter((each): each is string => typeof each === 'string' && /^[a-z-]{1,20}$/.test(each)).slice(0, 8)
}

/** An assertion that names its credential; nothing else of it is checked. */
export function readAssertion(text: string): AuthenticationResponseJSON | undefined {
  const response = parsed<AuthenticationResponseJSON>(text)
  const isNamed = typeof response?.id === 'string' && response.id.length <= LONGEST_ID && !response.id.includes('\0')
  return isNamed ? response : undefined
}

/** Nobody named beforehand: the device has to say whose it is (WebAuthn §7.2). */
export function isOwn({ response }: AuthenticationResponseJSON, { sub }: Asked, passkey: PasskeyRecord): boolean {
  const handle = response?.userHandle
  const owner = Buffer.from(passkey.sub).toString('base64url')
  if (typeof handle === 'string' ? handle !== owner : sub === undefined) return false
  return sub === undefined || sub === passkey.sub
}

/** What a good assertion says; undefined for any other. Its counter is NOT judged. */
export async function verifyAssertion(
  response: AuthenticationResponseJSON,
  { challenge }: Asked,
  passkey: PasskeyRecord,
  { origin, party }: Party,
): Promise<Pick<PasskeyRecord, 'counter' | 'backupEligible' | 'backedUp'> | undefined> {
  if (isFramed(response)) return undefined
  try {
    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server')
    const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: party,
      requireUserVerification: true,
      // The counter is judged by who knows that the signature is good.
      credential: {
        id: passkey.credentialId,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: 0,
      },
    })
    if (!verified || !info.userVerified) return undefined
    const backupEligible = info.credentialDeviceType === 'multiDevice'
    return { counter: info.newCounter, backupEligible, backedUp: info.credentialBackedUp }
  } catch {
    return undefined
  }
}

/** Whether the browser says that another site's page asked; our pages are in no frame. */
function isFramed({ response }: { readonly response?: { readonly clientDataJSON?: unknown } }): boolean {
  const { clientDataJSON } = response ?? {}
  if (typeof clientDataJSON !== 'string') return true
  const said = parsed<{ crossOrigin?: unknown; topOrigin?: unknown }>(
    Buffer.from(clientDataJSON, 'base64url').toString('utf8'),
  )
  return said === undefined || said.crossOrigin === true || said.topOrigin !== undefined
}

/** An object in JSON; its members are NOT checked: the library does. */
function parsed<T extends object>(text: string): T | undefined {
  try {
    const value: T | null = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
