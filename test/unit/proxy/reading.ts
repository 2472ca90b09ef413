import type { ResponseHead } from '../../../src/proxy/http1/response-head.ts'
import { ResponseParser } from '../../../src/proxy/http1/response-parser.ts'

/** What came of an answer; what is empty or did not happen is left out, but for `body` and `ended`. */
export interface Reading {
  body: string
  ended: boolean
  excess?: boolean
  informed?: number[]
  trailers?: readonly string[]
  upgraded?: boolean
  fault?: string
}

export interface How {
  readonly head?: boolean
  readonly upgrade?: boolean
  /** The connection ends after the text. */
  readonly end?: boolean
  /** Bytes that arrive at a time, or where they are cut. */
  readonly step?: number
  readonly cuts?: readonly number[]
}

/** Reads `text` (latin1) as an upstream's answer. */
export function read(text: string, how: How = {}): Reading {
  const reading: Reading = { body: '', ended: false }
  const parser = new ResponseParser()
  parser.begin(handlerFor(reading, parser), how.head ?? false, how.upgrade ? 'x' : undefined)
  for (const piece of pieces(text, how)) {
    // Larger than its content: what lies behind must not be read.
    const buffer = Buffer.alloc(piece.length + 64, '0\r\n\r\n')
    buffer.write(piece, 'latin1')
    const fault = parser.push(buffer, piece.length)
    buffer.fill('!')
    if (fault === undefined) continue
    reading.fault = fault
    return reading
  }
  if (how.end) parser.finish()
  return reading
}

function handlerFor(reading: Reading, parser: ResponseParser) {
  return {
    onInformation: ({ status }: ResponseHead): void => {
      reading.informed = [...(reading.informed ?? []), status]
    },
    onHead: (): void => {},
    onBody: (chunk: Buffer): void => {
      reading.body += chunk.toString('latin1')
    },
    onEnd: (last: Buffer | undefined, trailers: readonly string[]): void => {
      reading.body += last?.toString('latin1') ?? ''
      reading.ended = true
      reading.excess = parser.excess
      if (trailers.length > 0) reading.trailers = trailers
    },
    onUpgrade: (): void => {
      reading.upgraded = true
    },
  }
}

function pieces(text: string, { step, cuts }: How): string[] {
  if (cuts !== undefined) {
    const edges = [0, ...[...cuts].sort((a, b) => a - b), text.length]
    return edges.slice(1).map((edge, i) => text.slice(edges[i], edge))
  }
  const size = step ?? Math.max(1, text.length)
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size))
}
