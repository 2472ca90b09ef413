import type { IssuerContext } from './issuer-context.ts'
import type { Bucket } from './throttle-buckets.ts'

/** Registrations of one address within a quarter of an hour. Each is a row that somebody has to keep. */
const MOST = 60

const REGISTRATIONS: Bucket = { delayMs: () => 0, places: (made) => (made < MOST ? 16 : 0) }

/** Whether this address may register another client now. Counts it. */
export async function mayRegister({ buckets }: IssuerContext, address: string): Promise<boolean> {
  const turn = await buckets.enter(`registration ${address}`, REGISTRATIONS)
  try {
    if (turn.full) return false
    await turn.failed()
    return true
  } finally {
    turn.leave()
  }
}
