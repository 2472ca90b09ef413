import type { Revocation } from '../core/revocation.ts'
import type { Store, StorePosition } from './store.ts'

/** Entries of one step; a follower is never sent, and memory never holds, more at once. */
const PAGE_ENTRIES = 500

export interface RevocationPage {
  readonly entries: readonly Revocation[]
  /** More are there now: read again. */
  readonly more: boolean
  /** The list is another one than before, or goes back behind what was read: it is read from its beginning. */
  readonly rewound: boolean
  readonly position: StorePosition
}

/** Reads the store's revocations one after another, without a gap. */
interface RevocationReader {
  /** What came into force since the last call, as far as one page holds. @param now NumericDate, seconds. Throws StoreError. */
  read(now: number): Promise<RevocationPage>
}

/** @param after where an earlier reader ended: entries up to there are passed over if the store still has that history. */
export function createRevocationReader(
  store: Pick<Store, 'position' | 'revocations'>,
  after?: Pick<StorePosition, 'epoch' | 'id'>,
): RevocationReader {
  let seen: { readonly epoch: string; readonly id: number; readonly nonce: string | undefined } | undefined =
    after === undefined ? undefined : { ...after, nonce: undefined }
  return {
    read: async (now) => {
      const position = await store.position()
      const rewound = seen !== undefined && isAnotherHistory(seen, position)
      const from = seen === undefined || rewound ? 0 : seen.id
      if (from === position.id) {
        seen = position
        return { entries: [], more: false, rewound, position }
      }
      const entries = await store.revocations(from, Math.floor(now), PAGE_ENTRIES)
      const more = entries.length === PAGE_ENTRIES
      const last = entries.at(-1)?.id ?? 0
      // Later entries may have come between the two looks; without more, all up to the position have been seen.
      const id = more ? last : Math.max(last, position.id)
      seen = { epoch: position.epoch, id, nonce: id === position.id ? position.nonce : undefined }
      return { entries, more, rewound, position }
    },
  }
}

function isAnotherHistory(
  seen: { readonly epoch: string; readonly id: number; readonly nonce: string | undefined },
  position: StorePosition,
): boolean {
  if (seen.epoch !== position.epoch || position.id < seen.id) return true
  return position.id === seen.id && seen.nonce !== undefined && seen.nonce !== position.nonce
}
