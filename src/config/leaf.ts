import { z } from 'zod'

/** A text that was read, or what is wrong with it: the end of a sentence that begins with the key's name. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string }

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value }
}

export function faulty(fault: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault }
}

/**
 * A text of the file that `parse` turns into what the gateway works with.
 * @param describe What an editor shows for the key.
 * @param mistyped What is said when no text stands there but a number, `true` or `false`.
 */
export function textLeaf<T>(
  describe: string,
  parse: (text: string) => Parsed<T>,
  mistyped = 'must be text; put it in quotes',
) {
  return z
    .string({ error: mistyped })
    .transform((text, context) => {
      const result = parse(text)
      if (result.ok) return result.value
      context.addIssue({ code: 'custom', message: result.fault })
      return z.NEVER
    })
    .meta({ description: describe })
}

/** One of a few words. */
export function wordLeaf<const W extends readonly [string, ...string[]]>(describe: string, words: W) {
  return z.enum(words, { error: `must be one of: ${words.join(', ')}` }).meta({ description: describe })
}

export function booleanLeaf(describe: string) {
  return z.boolean({ error: 'must be true or false' }).meta({ description: describe })
}

/** A text that is neither empty nor holds control bytes; `what` names it in the message. */
export function plainText(text: string): Parsed<string> {
  if (text.trim() === '') return faulty('must not be empty')
  return /\p{Cc}/u.test(text) ? faulty('must not hold line breaks or other control characters') : parsed(text)
}
