import type { Permit } from '../core/decide.ts'
import { clockToleranceSeconds, type VerifiedToken } from '../core/token.ts'

/** An upgraded connection that lives on after its request was judged. */
interface OpenTunnel {
  /** Undefined on public routes and paths: nothing revokes those. */
  readonly token: VerifiedToken | undefined
  close(): void
}

/** Where requests are under way. */
interface Answering {
  /** Ends those that `isOver` says of; answers their number. */
  endIf(isOver: (permit: Permit) => boolean): number
}

/** What goes on long after it was judged, tunnels and answers, so that the end of a token reaches it. */
export interface Tunnels {
  readonly open: number
  add(tunnel: OpenTunnel): void
  remove(tunnel: OpenTunnel): void
  /** Closes tunnels, and breaks off answers, whose token is revoked by now; answers their number. */
  closeRevoked(isRevoked: (token: VerifiedToken) => boolean): number
  /** Closes tunnels whose token has expired; answers their number. An answer may be read to its end. @param now NumericDate, seconds. */
  closeExpired(now: number): number
  /** The authorizations (`gid`) that open tunnels live by. */
  authorizations(): ReadonlySet<string>
  closeAll(): void
}

/** @param answering Everywhere that requests are under way now. */
export function createTunnels(answering: () => readonly Answering[]): Tunnels {
  const open = new Set<OpenTunnel>()
  const closeWhere = (isOver: (token: VerifiedToken) => boolean): number => {
    const over = [...open].filter(({ token }) => token !== undefined && isOver(token))
    for (const tunnel of over) {
      open.delete(tunnel)
      tunnel.close()
    }
    return over.length
  }
  return {
    get open() {
      return open.size
    },
    add: (tunnel) => open.add(tunnel),
    remove: (tunnel) => open.delete(tunnel),
    closeRevoked: (isRevoked) => {
      const isOver = ({ token }: Permit): boolean => token !== undefined && isRevoked(token)
      return answering().reduce((ended, each) => ended + each.endIf(isOver), closeWhere(isRevoked))
    },
    closeExpired: (now) => closeWhere(({ expiresAt, embedded }) => now >= expiresAt + clockToleranceSeconds(embedded)),
    authorizations: () => new Set([...open].flatMap(({ token }) => token?.gid ?? [])),
    closeAll: () => {
      for (const tunnel of [...open]) {
        open.delete(tunnel)
        tunnel.close()
      }
    },
  }
}
