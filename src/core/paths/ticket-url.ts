import { decodeOnce } from './target.ts'

/** Where a ticket stands in a query. */
export const TICKET_PARAMETER = 'audgate_ticket'

/** Paths below it begin with a ticket, so that relative references keep it. */
export const TICKET_PATH = '/.audgate/t/'

/** What is longer, or shorter, is no ticket. */
export const MAX_TICKET_CHARACTERS = 512
const MIN_TICKET_CHARACTERS = 32

const IN_PATH = /^\/\.audgate\/t\/([A-Za-z0-9_-]+)(\/.*)$/

export interface TicketTarget {
  readonly ticket: string
  readonly form: 'query' | 'folder'
}

/**
 * The ticket in a request target; undefined for none. A parameter is known by its name as it is when percent-decoded, for both spellings are
 * one URL (RFC 3986 §6.2.2.2). `several`: more than one, which is none of them.
 */
export function readTicket(target: string): TicketTarget | 'several' | undefined {
  const inPath = IN_PATH.exec(pathOf(target))
  const inQuery = ticketsIn(queryOf(target))
  if (inPath === null && inQuery.length === 0) return undefined
  if (inQuery.length + (inPath === null ? 0 : 1) > 1) return 'several'
  if (inPath === null) return { ticket: inQuery[0] ?? '', form: 'query' }
  return { ticket: inPath[1] ?? '', form: 'folder' }
}

/** A request target or reference without any ticket; all else byte for byte. */
export function withoutTicket(reference: string): string {
  if (!mayHoldTicket(reference)) return reference
  const [, rest = '', fragment = ''] = /^([^#]*)(#.*)?$/s.exec(reference) ?? []
  return withoutNested(pathOf(rest)) + queryWithoutTicket(queryOf(rest)) + withoutNested(fragment)
}

/** The same with its path as it came, where a prefix is none of the gateway's. */
export function withoutTicketInQuery(target: string): string {
  return mayHoldTicket(target) ? pathOf(target) + queryWithoutTicket(queryOf(target)) : target
}

/** The path with each ticket masked, for a log. */
export function maskTicket(path: string): string {
  return mayHoldTicket(path) ? path.replace(PREFIX, '$1[ticket]').replace(ASSIGNMENT, '$1[ticket]') : path
}

/** Whether it is long enough for one. */
export function isPlausible(ticket: string): boolean {
  return ticket.length >= MIN_TICKET_CHARACTERS
}

/** Settles most references with one look. */
export function mayHoldTicket(reference: string): boolean {
  return /audgate|%/i.test(reference)
}

/** `text` in any letter case, each character plain or percent-encoded however many times over. */
function spelled(text: string): string {
  return [...text].map((char) => `(?:${char === '.' ? '\\.' : char}|${escapes(char)})`).join('')
}

function escapes(chars: string): string {
  const codes = [...chars.toLowerCase(), ...chars.toUpperCase()].map((char) => char.charCodeAt(0).toString(16))
  return `%(?:25)*(?:${[...new Set(codes)].join('|')})`
}

// What some reader takes off before a name, or takes for the `_` in it (PHP: ` `, `.` and `[`).
const LEADING = `(?:[+"']|%(?:25)*(?:[01][0-9a-f]|2[027b]))*`
const NAME = `${spelled('audgate')}(?:[_. +[-]|${escapes('_. +[-')})${spelled('ticket')}`
/** What a ticket is made of, and may be one. */
const VALUE = '(?:[\\w-]|%(?:25)*(?:2d|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f))'

/** A parameter's name as some server would read it: in another letter case, decoded again, with more behind it. */
const LIKE_PARAMETER = new RegExp(`^${LEADING}${NAME}(?![a-z0-9])`, 'i')
const PREFIX = new RegExp(`(${spelled('/.audgate/t/')})(?:[^/?#&%]|%(?!(?:25)*2f))*`, 'gi')
/** A ticket's URL within another: a viewer's address of what it shows. */
const ASSIGNMENT = new RegExp(`(${NAME}(?:=|${escapes('=')}))${VALUE}{${MIN_TICKET_CHARACTERS},}`, 'gi')

function ticketsIn(query: string): string[] {
  if (!mayHoldTicket(query)) return []
  return query
    .slice(1)
    .split('&')
    .filter(isTicket)
    .map((pair) => decodeOnce(pair.slice(nameOf(pair).length + 1)))
}

function queryWithoutTicket(query: string): string {
  const pairs = query.slice(1).split('&')
  const kept = pairs.flatMap((pair) => withoutOwnParts(pair) ?? [])
  if (kept.length === 0) return ''
  return pairs.every((pair, i) => pair === kept[i]) ? query : `?${kept.join('&')}`
}

/** A pair without what is a ticket to some reader; undefined where nothing is left. Servers of several kinds end a parameter at `;`, too. */
function withoutOwnParts(pair: string): string | undefined {
  if (isTicket(pair)) return undefined
  const parts = pair.split(';')
  const kept = parts.filter((part) => !LIKE_PARAMETER.test(nameOf(part)))
  return kept.length === 0 ? undefined : withoutNested(kept.join(';'))
}

function withoutNested(text: string): string {
  return text.replace(PREFIX, '').replace(ASSIGNMENT, '$1')
}

function isTicket(pair: string): boolean {
  return decodeOnce(nameOf(pair)) === TICKET_PARAMETER
}

function nameOf(pair: string): string {
  const cut = pair.indexOf('=')
  return cut === -1 ? pair : pair.slice(0, cut)
}

function pathOf(target: string): string {
  const cut = target.indexOf('?')
  return cut === -1 ? target : target.slice(0, cut)
}

function queryOf(target: string): string {
  const cut = target.indexOf('?')
  return cut === -1 ? '' : target.slice(cut)
}
