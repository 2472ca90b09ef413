import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Candidate, createPlaceQueue } from './place-queue.ts'

/** OWASP's parameters for argon2id; about 43 ms and 19 MiB for one hash. */
const MEMORY_KIB = 19_456
const PASSES = 2
const PARALLELISM = 1
const TAG_BYTES = 32

/** UTF-16 units before normalisation: longer ones are not even looked at. */
const LONGEST_RAW = 2048

/** Matches no password. Costs as much as a real one, so that an unknown name takes as long as a known one. */
const NOBODYS_HASH = `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}$${'A'.repeat(22)}$${'A'.repeat(43)}`
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/

/** In which line somebody waits for a hash. */
export interface Lane {
  /** Whether the device is one that the person has signed in from: such have a place of their own. */
  readonly known: boolean
  readonly candidate: Candidate
}

/** Nobody from outside: the operator at the command line, or somebody who has been let in already. */
const INSIDE: Lane = {
  known: true,
  candidate: { group: { wide: 'inside', narrow: 'inside' }, tried: false, left: () => false },
}

export interface Passwords {
  /** PHC string. Undefined: too many wait already. What it is worth is NOT judged; see `passwordProblem`. */
  hash(password: string, lane?: Lane): Promise<string | undefined>
  /**
   * Whether `password` is the one behind `hash`; undefined stands for a person who is not there and takes as long.
   * `weaker`: right, but hashed with smaller parameters than today's. `busy`: too many wait already.
   */
  verify(hash: string | undefined, password: string, lane?: Lane): Promise<'right' | 'weaker' | 'wrong' | 'busy'>
}

/**
 * Hashing by argon2id off the main thread, round by round over those who wait.
 * @param options.atOnce hashes of strangers that run side by side, besides one of a known device: libuv's four threads also serve files and
 * names.
 * @param options.waiting how many may wait for their turn; more are turned away.
 */
export function createPasswords(options: { readonly atOnce?: number; readonly waiting?: number } = {}): Passwords {
  const queue = createPlaceQueue(options.waiting)
  const inPlace = async <T>({ known, candidate }: Lane, work: () => Promise<T>): Promise<T | undefined> => {
    const giveBack = await queue.take(
      known ? 'known' : 'strangers',
      candidate,
      known ? 1 : (options.atOnce ?? 2),
      false,
    )
    if (giveBack === 'full') return undefined
    try {
      return await work()
    } finally {
      giveBack()
    }
  }
  return {
    hash: (password, lane = INSIDE) =>
      inPlace(lane, async () => {
        const salt = randomBytes(16)
        const tag = await derive(password, salt, MEMORY_KIB, PASSES, PARALLELISM, TAG_BYTES)
        return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}$${phc64(salt)}$${phc64(tag)}`
      }),
    verify: async (hash, password, lane = INSIDE) => {
      if (password.length > LONGEST_RAW) return 'wrong'
      return (await inPlace(lane, () => compare(hash ?? NOBODYS_HASH, password))) ?? 'busy'
    },
  }
}

async function compare(hash: string, password: string): Promise<'right' | 'weaker' | 'wrong'> {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(hash) ?? PHC.exec(NOBODYS_HASH) ?? []
  const expected = Buffer.from(tag ?? '', 'base64')
  const [m, t, p] = [Number(memory), Number(passes), Number(parallelism)]
  const derived = await derive(password, Buffer.from(salt ?? '', 'base64'), m, t, p, expected.length)
  if (!timingSafeEqual(derived, expected)) return 'wrong'
  return m < MEMORY_KIB || t < PASSES || expected.length < TAG_BYTES ? 'weaker' : 'right'
}

function derive(
  password: string,
  nonce: Buffer,
  memory: number,
  passes: number,
  parallelism: number,
  tagLength: number,
): Promise<Buffer> {
  const message = Buffer.from(normalise(password), 'utf8')
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message, nonce, memory, passes, parallelism, tagLength }, (error, tag) => {
      if (error === null) resolve(tag)
      else reject(error)
    })
  })
}

function normalise(password: string): string {
  return password.normalize('NFKC')
}

/** Base64 without padding, as PHC strings have it. */
function phc64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
