import type { IncomingMessage, ServerResponse } from 'node:http'
import { request } from 'undici'
import type { BackChannelKind } from '../../core/back-channel.ts'
import type { BackChannel } from '../../gateway/credentials/back-channel.ts'

/** Where gateways on their own ask about credentials that are no tokens. */
export const BACK_CHANNEL_PATH = '/oauth/back-channel'

const MAX_QUESTION_BYTES = 65_536
const TIMEOUT_MS = 10_000

const KINDS: ReadonlySet<string> = new Set<BackChannelKind>([
  ...([
    'session',
    'app_password',
    'ticket',
    'make_ticket',
    'begin_sign_in',
    'redeem',
    'open_session',
    'sign_out',
    'proof',
    'weak_sign_in',
    'used',
  ] as const),
])

/** Answers a question that came over HTTP from whoever holds the feed token, which the caller has checked. */
export async function answerQuestion(
  backChannel: BackChannel,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const question = await readQuestion(request)
  const answer = question === undefined ? undefined : await backChannel.ask(question.kind, question.question)
  const body = JSON.stringify(answer ?? { type: 'about:blank', status: 400, detail: 'no question of the back channel' })
  response.writeHead(answer === undefined ? 400 : 200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(body)
}

/** Which of the audgates that hold the issuer is asked: the last one that answered. */
export interface UpstreamChoice {
  readonly count: number
  current(): string
  /** The next one is asked from now on, if this is the one that is asked. */
  failed(origin: string): void
}

/** The back channel to other audgates of one store; their TLS is verified. Rejects when none answers, or one refuses the feed token. */
export function remoteBackChannel(choice: UpstreamChoice, feedToken: string): BackChannel {
  const headers = { authorization: `Bearer ${feedToken}`, 'content-type': 'application/json' }
  const ask = async (body: string): Promise<string> => {
    const options = { method: 'POST', headers, body, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS } as const
    const response = await request(new URL(BACK_CHANNEL_PATH, choice.current()), options)
    const text = await response.body.text()
    if (response.statusCode !== 200) throw new Error(`the issuer answered ${response.statusCode}`)
    return text
  }
  return {
    ask: async (kind, question) => {
      const body = JSON.stringify({ kind, question })
      for (let left = choice.count; ; left -= 1) {
        const origin = choice.current()
        try {
          return JSON.parse(await ask(body))
        } catch (error) {
          if (left <= 1) throw error
          choice.failed(origin)
        }
      }
    },
  }
}

/** As many ids as a question holds, with room to spare. */
const MOST_USES = 1_000

/** Tells the issuer which authorizations were used at this gateway. Rejects when nobody answers. */
export async function tellUses(backChannel: BackChannel, uses: ReadonlyMap<string, number>): Promise<void> {
  const all = [...uses]
  for (let at = 0; at < all.length; at += MOST_USES)
    await backChannel.ask('used', { uses: Object.fromEntries(all.slice(at, at + MOST_USES)) })
}

/** What it holds is of the gateways' making, and only they have the feed token: its members are NOT checked. */
async function readQuestion(
  request: IncomingMessage,
): Promise<{ readonly kind: BackChannelKind; readonly question: never } | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > MAX_QUESTION_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    const read = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    return KINDS.has(read?.kind) && typeof read.question === 'object' && read.question !== null ? read : undefined
  } catch {
    return undefined
  }
}
