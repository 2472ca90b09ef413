/** HTML that may stand in a page as it is. Only {@link html} and {@link trustedHtml} make it. */
export interface Html {
  readonly [sealed]: string
}

/** Attributes for the inside of a tag; {@link attributes} makes them. */
interface Attributes {
  readonly [inTag]: string
}

/** What a hole in {@link html} takes. Strings and numbers are escaped; `undefined` and `false` leave nothing. */
type Hole = string | number | Html | readonly Html[] | Attributes | undefined | false

type Place = 'text' | 'tag' | 'value'

const sealed: unique symbol = Symbol('html')
const inTag: unique symbol = Symbol('attributes')
const placesOf = new WeakMap<TemplateStringsArray, readonly Place[]>()

/**
 * A piece of HTML whose every hole is escaped by construction. In text a hole takes strings and pieces, in a double-quoted
 * attribute value strings only, in a tag {@link attributes} only; anything else throws. Does NOT judge URLs; {@link href} does.
 */
export function html(template: TemplateStringsArray, ...holes: readonly Hole[]): Html {
  const places = placesOf.get(template) ?? readPlaces(template)
  placesOf.set(template, places)
  let out = template[0] ?? ''
  for (const [index, hole] of holes.entries()) out += fill(hole, places[index]) + (template[index + 1] ?? '')
  return trustedHtml(out)
}

/** Declares `text` to be HTML of our own making. Never for anything that came from outside. */
export function trustedHtml(text: string): Html {
  return { [sealed]: text }
}

/** The text of the piece, for sending. */
export function htmlText(piece: Html): string {
  return piece[sealed]
}

/** Attributes by name; `true` stands without a value, `undefined` and `false` are left out. */
export function attributes(values: Readonly<Record<string, string | boolean | undefined>>): Attributes {
  const parts = Object.entries(values).flatMap(([name, value]) => {
    if (!/^[a-z][a-z-]*$/.test(name) || name.startsWith('on')) throw new Error(`not an attribute for a page: ${name}`)
    if (value === undefined || value === false) return []
    return [value === true ? name : `${name}="${escapeHtml(value)}"`]
  })
  return { [inTag]: parts.join(' ') }
}

/** `url` where it is an absolute path of this origin or an http(s) URL, else undefined: never a link that runs something. */
export function href(url: string): string | undefined {
  if (/^\/(?![/\\])/.test(url)) return url
  return /^https?:\/\/[^/\\]/i.test(url) ? url : undefined
}

/** Text with the characters that mean something in HTML as character references. */
function escapeHtml(text: string): string {
  return text.toWellFormed().replace(/[&<>"'`]/g, (char) => `&#${char.charCodeAt(0)};`)
}

function fill(hole: Hole, place: Place | undefined): string {
  if (hole === undefined || hole === false) return ''
  if (place === 'tag') {
    if (typeof hole === 'object' && inTag in hole) return hole[inTag]
  } else if (typeof hole === 'string' || typeof hole === 'number') {
    return escapeHtml(String(hole))
  } else if (place === 'text' && !(inTag in hole)) {
    return sealed in hole ? hole[sealed] : hole.map(htmlText).join('')
  }
  throw new Error(`a hole in ${place} can't take this`)
}

/** Where each hole stands: follows the fixed parts through text, tags and quoted values. */
function readPlaces(template: TemplateStringsArray): readonly Place[] {
  let place: Place = 'text'
  return template.slice(0, -1).map((part) => {
    for (const char of part) place = after(place, char)
    return place
  })
}

function after(place: Place, char: string): Place {
  if (place === 'text') return char === '<' ? 'tag' : 'text'
  if (place === 'value') return char === '"' ? 'tag' : 'value'
  if (char === '>') return 'text'
  return char === '"' ? 'value' : 'tag'
}
