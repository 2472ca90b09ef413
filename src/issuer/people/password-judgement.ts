import type { ZxcvbnFactory } from '@zxcvbn-ts/core'
import type { UserRecord } from '../../store/store.ts'
import { type IssuerContext, siteOf } from '../context.ts'

/** What a new password is judged by. */
export interface PasswordRules {
  /** The least number of characters: more where nothing else proves who it is. */
  readonly min: number
  /** What goes by the person or by this place: names, mail address, host. */
  readonly names: readonly string[]
}

const LONGEST = 256
/** UTF-16 units before normalisation: longer ones are not even looked at. */
const LONGEST_RAW = 2048
/** What an estimate looks at: its cost grows with the length. */
const JUDGED = 64
/** As a power of ten; a shorter password that may stand beside a second factor needs what its length by chance is worth to the estimate. */
const FEWEST_GUESSES = 10
/** Names are no password, nor with so few characters beside them. */
const FEW = 6
const SHORTEST_NAME = 3

/** The fewest characters of a password beside a second factor. */
const BESIDE_ANOTHER = 8

/**
 * What is wrong with a password that a person chooses, in words that say what to do; undefined: nothing. Its length is counted in characters
 * after NFKC (NIST SP 800-63B); there are no rules on which characters.
 */
export async function passwordProblem(password: string, rules: PasswordRules): Promise<string | undefined> {
  const text = password.length > LONGEST_RAW ? undefined : password.normalize('NFKC')
  const length = text === undefined ? Number.POSITIVE_INFINITY : [...text].length
  if (length < rules.min) return `The password must have at least ${rules.min} characters.`
  if (text === undefined || length > LONGEST) return `The password must have at most ${LONGEST} characters.`
  const names = wordsOf(rules.names)
  if (isMostly(text, names))
    return 'The password is little more than a name that belongs to you or to this place. Choose something else.'
  const { guesses, feedback } = (await estimator()).check([...text].slice(0, JUDGED).join(''), [...names])
  if (guesses >= 10 ** Math.min(FEWEST_GUESSES, rules.min)) return undefined
  return `${feedback.warning ?? 'The password is easy to guess.'} Choose something longer, or a few words that don’t belong together.`
}

/** What a person's password is judged by. @param beside whether there is a second factor. */
export function passwordRules(context: IssuerContext, user: UserRecord, beside: boolean): PasswordRules {
  return { min: shortestPassword(context, beside), names: passwordNames(context, user) }
}

/** The fewest characters of a new password. @param beside whether there is a second factor. */
export function shortestPassword({ settings }: IssuerContext, beside: boolean): number {
  return beside ? BESIDE_ANOTHER : settings().passwordMin
}

/** Names that a password must not be little more than. */
export function passwordNames(context: IssuerContext, { username, displayName, email }: UserRecord): readonly string[] {
  return [username, displayName ?? '', email ?? '', siteOf(context), 'audgate']
}

/** Names, and the parts that people take from them; the longest first. */
function wordsOf(names: readonly string[]): readonly string[] {
  const parts = names.flatMap((name) => [name, ...name.split(/[\s@._-]+/)])
  const folded = parts.map((part) => part.normalize('NFKC').toLowerCase())
  const long = [...new Set(folded)].filter((part) => [...part].length >= SHORTEST_NAME)
  return long.sort((one, other) => other.length - one.length)
}

/** Whether little is left of it without the names and what people put between them. */
function isMostly(password: string, names: readonly string[]): boolean {
  const folded = password.toLowerCase()
  const rest = names.reduce((left, name) => left.replaceAll(name, ''), folded)
  return rest !== folded && [...rest.replace(/[\s@._-]/g, '')].length <= FEW
}

interface Loading {
  estimator: Promise<ZxcvbnFactory> | undefined
}

// Its word lists take a megabyte and half a second: read when the first password is chosen.
const loading: Loading = { estimator: undefined }

function estimator(): Promise<ZxcvbnFactory> {
  loading.estimator ??= load()
  return loading.estimator
}

async function load(): Promise<ZxcvbnFactory> {
  const [core, common, english] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
    import('@zxcvbn-ts/language-en'),
  ])
  return new core.ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
  })
}
