import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { Upstream } from '../core/route.ts'

/**
 * All upstream sockets read into this: a read is dealt with before the next begins, so one is enough, and ten thousand
 * connections need no ten thousand buffers. What outlives the call is copied.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(65_536)

/** Certificates of the system beside node's own and NODE_EXTRA_CA_CERTS: private authorities are installed there. */
export function trustedContext(): SecureContext {
  return createSecureContext({ ca: [...new Set([...getCACertificates('default'), ...getCACertificates('system')])] })
}

/**
 * Opens a connection; TLS is verified whatever the environment says. `onRead` gets the bytes, in a buffer that is used
 * again afterwards and may be changed.
 */
export function openSocket(
  upstream: Upstream,
  context: SecureContext | undefined,
  onRead: (buffer: Buffer, length: number) => void,
): Socket {
  const { hostname, port } = upstream
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  const onread = {
    buffer: READ_BUFFER,
    callback: (length: number): boolean => {
      onRead(READ_BUFFER, length)
      return true
    },
  }
  if (context === undefined) return outlivingWrites(connectTcp({ host, port, noDelay: true, onread }))
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const verified = { secureContext: context, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] }
  const options = { host, port, noDelay: true, onread, ...verified, ...servername }
  return connectTls(options)
}

type WriteDone = (error?: Error | null) => void

/**
 * A server that refuses an upload answers and closes while bytes are still on their way to it. The write that then fails would destroy
 * the socket with the answer unread; the end of reading, which follows at once, is the end soon enough.
 */
function outlivingWrites(socket: Socket): Socket {
  const write = socket._write
  const writeMany = socket._writev
  // A stream has one callback for all of its writes.
  const last: { done: WriteDone | undefined; wrapped: WriteDone } = { done: undefined, wrapped: () => undefined }
  const wrapped = (done: WriteDone): WriteDone => {
    if (last.done === done) return last.wrapped
    last.done = done
    last.wrapped = unlessClosed(done)
    return last.wrapped
  }
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, wrapped(done))
  if (writeMany !== undefined) socket._writev = (chunks, done) => writeMany.call(socket, chunks, wrapped(done))
  return socket
}

function unlessClosed(done: WriteDone): WriteDone {
  return (error) => done(error != null && 'code' in error && isClosedByPeer(error.code) ? null : error)
}

function isClosedByPeer(code: unknown): boolean {
  return code === 'EPIPE' || code === 'ECONNRESET'
}
