// Characters that change how their neighbours read or that nobody sees: control, bidirectional and other format characters,
// fillers, private use. Joiners and variation selectors stay: scripts and emoji need them.
const UNSEEN = /(?!\u200c|\u200d|\ufe0e|\ufe0f)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/gu
const SPACES = /[\s\p{Z}]+/gu
// No script stacks more than three marks on a letter; more of them climb over the lines around.
const STACKED_MARKS = /(\p{M}{3})\p{M}+/gu
// A name of joiners alone is no name.
const SOMETHING = /[\p{L}\p{N}\p{P}\p{S}]/u

/**
 * A string from outside as one line of plain words: nothing invisible, nothing that turns the reading direction, at most `max`
 * characters with an ellipsis for the rest; `fallback` where nothing readable is left. Does NOT escape; the template does.
 */
export function plainWords(text: string, max: number, fallback = ''): string {
  const line = text
    .slice(0, 16 * max)
    .toWellFormed()
    .replace(SPACES, ' ')
    .replace(UNSEEN, '')
    .replace(SPACES, ' ')
    .replace(STACKED_MARKS, '$1')
    .trim()
  if (!SOMETHING.test(line)) return fallback
  const characters = Array.from(new Intl.Segmenter('en').segment(line), ({ segment }) => segment)
  const bounded = characters.length <= max ? line : `${characters.slice(0, max - 1).join('')}…`
  return bounded
}

/** A client's name as people see it, 64 characters at most. */
export function clientName(name: string): string {
  return plainWords(name, 64, 'An app without a name')
}
