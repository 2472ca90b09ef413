import type { VerifiedToken } from '../core/token.ts'

/** An upgraded connection that lives on after its request was judged. */
export interface OpenTunnel {
  /** Undefined on public routes and paths: nothing revokes those. */
  readonly token: VerifiedToken | undefined
  close(): void
}

/** Open tunnels, so that a revocation reaches them. They don't end when their token expires. */
export interface Tunnels {
  readonly open: number
  add(tunnel: OpenTunnel): void
  remove(tunnel: OpenTunnel): void
  /** Closes those whose token is revoked by now; answers their number. */
  closeRevoked(isRevoked: (token: VerifiedToken) => boolean): number
  closeAll(): void
}

export function createTunnels(): Tunnels {
  const open = new Set<OpenTunnel>()
  const close = (tunnel: OpenTunnel): void => {
    open.delete(tunnel)
    tunnel.close()
  }
  return {
    get open() {
      return open.size
    },
    add: (tunnel) => open.add(tunnel),
    remove: (tunnel) => open.delete(tunnel),
    closeRevoked: (isRevoked) => {
      const revoked = [...open].filter(({ token }) => token !== undefined && isRevoked(token))
      for (const tunnel of revoked) close(tunnel)
      return revoked.length
    },
    closeAll: () => {
      for (const tunnel of [...open]) close(tunnel)
    },
  }
}
