import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request and its answer as they passed, names and values of their fields as they were written. */
export interface Exchange {
  readonly method: string
  readonly target: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly status: number
  /** Values of all `WWW-Authenticate` fields of the answer. */
  readonly challenges: readonly string[]
}

export interface Tap {
  readonly port: number
  /** What has been answered since the last call, in the order of the answers. */
  take(): readonly Exchange[]
  close(): Promise<void>
}

/** Stands before an HTTP server of the loopback address, changes nothing, and writes down what is asked. @param target its port. */
export async function startTap(target: number): Promise<Tap> {
  const passed: Exchange[] = []
  const server = createServer((incoming, outgoing) => {
    const { method = '', url = '', rawHeaders } = incoming
    const onward = request({ host: '127.0.0.1', port: target, method, path: url, headers: rawHeaders, agent: false })
    onward.on('response', (answer) => {
      const { statusCode: status = 0, headersDistinct } = answer
      const challenges = headersDistinct['www-authenticate'] ?? []
      passed.push({ method, target: url, fields: pairs(rawHeaders), status, challenges })
      outgoing.writeHead(status, answer.rawHeaders)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    take: () => passed.splice(0),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []))
}
