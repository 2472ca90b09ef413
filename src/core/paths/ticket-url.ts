/** Where a ticket stands in a query. */
export const TICKET_PARAMETER = 'audgate_ticket'

/** Paths below it begin with a ticket, so that relative references keep it. */
export const TICKET_PATH = '/.audgate/t/'

/** What is longer is no ticket. */
export const MAX_TICKET_CHARACTERS = 512

const IN_PATH = /^\/\.audgate\/t\/([A-Za-z0-9_-]+)(\/.*)$/

export interface TicketTarget {
  readonly ticket: string
  readonly form: 'query' | 'folder'
  /** The request target without it. */
  readonly target: string
}

/** The ticket in a request target, and what is left; undefined for none. `several`: more than one, which is none of them. */
export function readTicket(target: string): TicketTarget | 'several' | undefined {
  const inPath = IN_PATH.exec(pathOf(target))
  const inQuery = ticketsIn(queryOf(target))
  if (inPath === null && inQuery.length === 0) return undefined
  if (inQuery.length + (inPath === null ? 0 : 1) > 1) return 'several'
  if (inPath === null) return { ticket: inQuery[0] ?? '', form: 'query', target: withoutTicket(target) }
  return { ticket: inPath[1] ?? '', form: 'folder', target: `${inPath[2] ?? '/'}${queryOf(target)}` }
}

/** A request target or reference without any ticket; all else byte for byte. */
export function withoutTicket(reference: string): string {
  if (!mayHoldTicket(reference)) return reference
  const [, rest = '', fragment = ''] = /^([^#]*)(#.*)?$/s.exec(reference) ?? []
  const path = pathOf(rest).replace(/\/\.audgate\/t\/[^/]*/, '')
  const query = queryOf(rest)
  if (query === '') return path + fragment
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !isTicket(pair))
    .join('&')
  return `${path}${kept === '' ? '' : `?${kept}`}${fragment}`
}

/** The path with each ticket masked, for a log. */
export function maskTicket(path: string): string {
  return path.replace(/^(\/\.audgate\/t\/)[^/]*/, '$1[ticket]')
}

/** Settles most references with one look. */
export function mayHoldTicket(reference: string): boolean {
  return reference.includes('audgate')
}

function ticketsIn(query: string): string[] {
  if (!mayHoldTicket(query)) return []
  return query
    .slice(1)
    .split('&')
    .filter(isTicket)
    .map((pair) => pair.slice(pair.indexOf('=') + 1))
}

function isTicket(pair: string): boolean {
  const cut = pair.indexOf('=')
  return (cut === -1 ? pair : pair.slice(0, cut)) === TICKET_PARAMETER
}

function pathOf(target: string): string {
  const cut = target.indexOf('?')
  return cut === -1 ? target : target.slice(0, cut)
}

function queryOf(target: string): string {
  const cut = target.indexOf('?')
  return cut === -1 ? '' : target.slice(cut)
}
