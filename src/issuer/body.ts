import type { IncomingMessage } from 'node:http'

/** Larger ones are refused: no form of ours comes near. */
export const LARGEST_BODY = 56 * 1024

/** Read and thrown away, so that a client that is still sending reads the refusal instead of a broken connection. */
const MOST_DISCARDED = 1024 * 1024

/** The body in whole. 'too_large': more than {@link LARGEST_BODY}. 'broken': the client left. */
export async function readBody(request: IncomingMessage): Promise<Buffer | 'too_large' | 'broken'> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += chunk.length
      if (length <= LARGEST_BODY) chunks.push(chunk)
      else if (length > MOST_DISCARDED) return 'too_large'
    }
  } catch {
    return 'broken'
  }
  return length > LARGEST_BODY ? 'too_large' : Buffer.concat(chunks, length)
}

/** Lets the library read `body` as if it had just come: it finds fault with bodies that somebody else has parsed. */
export function feedBody(request: IncomingMessage, body: Buffer): void {
  delete request.headers['transfer-encoding']
  request.headers['content-length'] = String(body.length)
  const iterator = async function* () {
    yield body
  }
  Object.defineProperties(request, { readable: { value: true }, iterator: { value: iterator } })
}

/** Whether the body is a form, by its Content-Type. */
export function isForm(request: IncomingMessage): boolean {
  return mediaType(request) === 'application/x-www-form-urlencoded'
}

/** Whether the body is JSON, by its Content-Type. */
export function isJson(request: IncomingMessage): boolean {
  return mediaType(request) === 'application/json'
}

function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
