import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** What a device may do wrong. */
export interface Quirks {
  readonly origin?: string
  readonly party?: string
  /** User verification; default: done. */
  readonly verified?: boolean
  readonly counter?: number
  readonly backupEligible?: boolean
  readonly backedUp?: boolean
  /** Signs with a key of somebody else's. */
  readonly bogus?: boolean
  readonly challenge?: string
  readonly crossOrigin?: boolean
  readonly userHandle?: string | null
  readonly type?: string
}

interface Options {
  readonly challenge: string
  readonly rp?: { readonly id: string }
  readonly rpId?: string
  readonly user?: { readonly id: string }
}

/** A passkey in software (WebAuthn §6): makes credentials and assertions, and every mistake that it is told to make. */
export class SoftwarePasskey {
  readonly #origin: string
  readonly #key: KeyObject
  readonly #publicKey: KeyObject
  readonly id = randomBytes(24).toString('base64url')
  userHandle = ''

  constructor(origin: string) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#origin = origin
    this.#key = privateKey
    this.#publicKey = publicKey
  }

  /** The answer to `navigator.credentials.create`. @param options as the page has them, JSON. */
  create(options: string, quirks: Quirks = {}): string {
    const asked: Options = JSON.parse(options)
    this.userHandle = asked.user?.id ?? ''
    const data = this.#authenticatorData(asked.rp?.id ?? '', quirks, this.#attested())
    const attestation = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(data),
    ])
    return this.#credential({
      clientDataJSON: this.#clientData('webauthn.create', asked.challenge, quirks),
      attestationObject: attestation.toString('base64url'),
      transports: ['internal'],
    })
  }

  /** The answer to `navigator.credentials.get`. */
  get(options: string, quirks: Quirks = {}): string {
    const asked: Options = JSON.parse(options)
    const data = this.#authenticatorData(asked.rpId ?? '', quirks)
    const clientDataJSON = this.#clientData('webauthn.get', asked.challenge, quirks)
    const signed = Buffer.concat([data, sha256(Buffer.from(clientDataJSON, 'base64url'))])
    const key = quirks.bogus === true ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : this.#key
    const handle = quirks.userHandle === undefined ? this.userHandle : quirks.userHandle
    return this.#credential({
      clientDataJSON,
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, key).toString('base64url'),
      ...(handle === null ? {} : { userHandle: handle }),
    })
  }

  #credential(response: Record<string, unknown>): string {
    const { id } = this
    return JSON.stringify({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response })
  }

  #clientData(type: string, challenge: string, quirks: Quirks): string {
    const said = {
      type: quirks.type ?? type,
      challenge: quirks.challenge ?? challenge,
      origin: quirks.origin ?? this.#origin,
      crossOrigin: quirks.crossOrigin ?? false,
    }
    return Buffer.from(JSON.stringify(said)).toString('base64url')
  }

  #authenticatorData(party: string, quirks: Quirks, attested: Buffer = Buffer.alloc(0)): Buffer {
    const { verified = true, counter = 0, backupEligible = false, backedUp = false } = quirks
    const flags =
      1 | (verified ? 4 : 0) | (backupEligible ? 8 : 0) | (backedUp ? 16 : 0) | (attested.length > 0 ? 64 : 0)
    const count = Buffer.alloc(4)
    count.writeUInt32BE(counter)
    return Buffer.concat([sha256(Buffer.from(quirks.party ?? party)), Buffer.from([flags]), count, attested])
  }

  /** The credential's id and its public key as COSE has it (RFC 9053 §7.1.1). */
  #attested(): Buffer {
    const { x = '', y = '' } = this.#publicKey.export({ format: 'jwk' })
    const id = Buffer.from(this.id, 'base64url')
    const length = Buffer.alloc(2)
    length.writeUInt16BE(id.length)
    const key = Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      cborBytes(Buffer.from(x, 'base64url')),
      Buffer.from([0x22]),
      cborBytes(Buffer.from(y, 'base64url')),
    ])
    return Buffer.concat([Buffer.alloc(16), length, id, key])
  }
}

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest()
}

function cborText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 + text.length]), Buffer.from(text)])
}

function cborBytes(bytes: Buffer): Buffer {
  const head =
    bytes.length < 24
      ? [0x40 + bytes.length]
      : bytes.length < 256
        ? [0x58, bytes.length]
        : [0x59, bytes.length >> 8, bytes.length & 255]
  return Buffer.concat([Buffer.from(head), bytes])
}
