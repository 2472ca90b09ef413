import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'

/** OWASP's parameters for argon2id; about 43 ms and 19 MiB for one hash. */
const MEMORY_KIB = 19_456
const PASSES = 2
const PARALLELISM = 1
const TAG_BYTES = 32

const SHORTEST = 8
const LONGEST = 256
/** UTF-16 units before normalisation: longer ones are not even looked at. */
const LONGEST_RAW = 2048

/** Matches no password. Costs as much as a real one, so that an unknown name takes as long as a known one. */
const NOBODYS_HASH = `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}$${'A'.repeat(22)}$${'A'.repeat(43)}`
const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/

export interface Passwords {
  /** PHC string. Undefined: too many wait already. The password's length is NOT checked; see {@link passwordProblem}. */
  hash(password: string): Promise<string | undefined>
  /**
   * Whether `password` is the one behind `hash`; undefined stands for a person who is not there and takes as long.
   * `weaker`: right, but hashed with smaller parameters than today's. `busy`: too many wait already.
   */
  verify(hash: string | undefined, password: string): Promise<'right' | 'weaker' | 'wrong' | 'busy'>
}

/**
 * What is wrong with a password that a person chooses, in words that say what to do; undefined: nothing. Length only,
 * counted in characters after NFKC (NIST SP 800-63B).
 */
export function passwordProblem(password: string): string | undefined {
  const length = password.length > LONGEST_RAW ? Number.POSITIVE_INFINITY : [...normalise(password)].length
  if (length < SHORTEST) return `The password must have at least ${SHORTEST} characters.`
  if (length > LONGEST) return `The password must have at most ${LONGEST} characters.`
  return undefined
}

/**
 * Hashing by argon2id off the main thread.
 * @param options.atOnce hashes that run side by side: libuv's four threads also serve files and names.
 * @param options.waiting how many may wait for their turn; more are turned away.
 */
export function createPasswords(options: { readonly atOnce?: number; readonly waiting?: number } = {}): Passwords {
  const turns = queue(options.atOnce ?? 2, options.waiting ?? 128)
  return {
    hash: (password) =>
      turns(async () => {
        const salt = randomBytes(16)
        const tag = await derive(password, salt, MEMORY_KIB, PASSES, PARALLELISM, TAG_BYTES)
        return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${PARALLELISM}$${phc64(salt)}$${phc64(tag)}`
      }),
    verify: async (hash, password) => {
      if (password.length > LONGEST_RAW) return 'wrong'
      return (await turns(() => compare(hash ?? NOBODYS_HASH, password))) ?? 'busy'
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

/** Turns for work: undefined when too much waits already. */
function queue(atOnce: number, waiting: number): <T>(work: () => Promise<T>) => Promise<T | undefined> {
  const waiters: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= atOnce) {
      if (waiters.length >= waiting) return undefined
      // Whoever ends hands its turn on, so `running` stays as it is.
      await new Promise<void>((resolve) => waiters.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiters.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

function normalise(password: string): string {
  return password.normalize('NFKC')
}

/** Base64 without padding, as PHC strings have it. */
function phc64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
