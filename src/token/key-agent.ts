import { Agent } from 'undici'

const MAX_RESPONSE_BYTES = 1024 * 1024

/** Connections to issuers: few, soon dropped, with bounds on what an answer may take. TLS certificates are verified. */
export function createKeyAgent(): Agent {
  return new Agent({
    connections: 2,
    pipelining: 1,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
    headersTimeout: 5_000,
    bodyTimeout: 5_000,
    maxHeaderSize: 16_384,
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect: { timeout: 5_000 },
  })
}
