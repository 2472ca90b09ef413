import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { UserRecord } from '../../store/store.ts'
import { deriveKey } from '../keys/sealing.ts'

/** What tells a device that a person has signed in from before. */
export interface DeviceKeys {
  make(user: UserRecord): string
  /** Whether `deviceKey` was made for this person under the password that holds now. */
  isOf(user: UserRecord, deviceKey: string | undefined): boolean
}

/** Keys that need no row: each carries a proof of what it was made for. */
export function createDeviceKeys(masterKey: Buffer): DeviceKeys {
  const secret = deriveKey(masterKey, 'known devices')
  return {
    make: (user) => {
      const chance = randomBytes(16).toString('base64url')
      return `${chance}.${tagOf(secret, user, chance)}`
    },
    isOf: (user, deviceKey) => {
      const [chance = '', tag = '', ...rest] = (deviceKey ?? '').slice(0, 200).split('.')
      if (chance === '' || rest.length > 0) return false
      // Compared as written: one key has one spelling, else each would have tries of its own.
      const [expected, actual] = [Buffer.from(tagOf(secret, user, chance)), Buffer.from(tag)]
      return expected.length === actual.length && timingSafeEqual(expected, actual)
    },
  }
}

/** Bound to the account: the cookie of one's own opens no way to another's. And to the password: a thief's ends with it. */
function tagOf(secret: Buffer, { sub, passwordHash }: UserRecord, chance: string): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([chance, sub, passwordHash ?? '']))
    .digest('base64url')
}
