import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressGroup } from '../../../src/core/address.ts'

describe('an address group', () => {
  const groups: readonly [string, string, string][] = [
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:1ab::7', '2001:db8:0:1ab::/64', '2001:db8:0:100::/56'],
    ['2001:DB8:0:01ff:1:2:3:4', '2001:db8:0:1ff::/64', '2001:db8:0:100::/56'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'fe80:0:0:0::/56'],
    ['::1', '0:0:0:0::/64', '0:0:0:0::/56'],
    ['unknown', 'unknown', 'unknown'],
    ['', '', ''],
  ]
  for (const [address, narrow, wide] of groups) {
    it(`of ${address === '' ? 'nothing' : address} is ${narrow === wide ? 'the address' : 'its /64 and /56'}`, () => {
      assert.deepEqual(addressGroup(address), { narrow, wide })
    })
  }
})
