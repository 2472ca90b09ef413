import { once } from 'node:events'
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import type { ListenAddress } from '../config/config.ts'

/**
 * Makes room for a unix socket: takes away what a process that was killed has left. Leaves a socket on which somebody answers, and
 * whatever is no socket, so that binding fails with the reason. Before any worker listens.
 */
export async function clearStaleSocket(address: ListenAddress): Promise<void> {
  if (!('path' in address)) return
  const { path } = address
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return
  const socket = connect(path)
  const answered = await once(socket, 'connect').then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ECONNREFUSED',
  )
  socket.destroy()
  if (!answered) unlinkSync(path)
}

/** Lets the owner's group in, such as a web server's that stands in front; nobody else. */
export function letGroupIn(address: ListenAddress): void {
  if ('path' in address) chmodSync(address.path, 0o660)
}
