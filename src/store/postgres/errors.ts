import { StoreError } from '../store.ts'

interface Explanation {
  readonly message: string
  readonly hint: string
}

const AWAY: Explanation = {
  message: 'the database does not answer',
  hint: 'look whether PostgreSQL runs and can be reached from here',
}

/** SQLSTATE (PostgreSQL, appendix A), by code or by class. */
const BY_STATE: ReadonlyMap<string, Explanation> = new Map([
  [
    '28P01',
    { message: 'the password is refused', hint: 'set AUDGATE_STORE_PASSWORD to the password of the user in `store`' },
  ],
  ['28000', { message: 'the user is refused', hint: 'check the user in `store` and pg_hba.conf' }],
  ['3D000', { message: 'there is no such database', hint: 'make it: `createdb -O USER DATABASE`' }],
  ['42501', { message: 'no permission', hint: 'let the user in `store` own the database' }],
  ['53100', { message: 'the disk is full', hint: 'free space on the disk of the database' }],
  ['53300', { message: 'too many connections', hint: 'lower `store.pool`, or raise max_connections of the database' }],
  ['25006', { message: 'read-only', hint: 'name the primary in `store`: a standby can’t be written to' }],
  [
    '57014',
    { message: 'a statement took too long', hint: 'look at how busy the database is; `store.timeout` is the limit' },
  ],
  ['57P03', AWAY],
  ['57P01', AWAY],
  ['57P02', AWAY],
  ['08', AWAY],
])

const BY_SYSTEM_CODE: ReadonlyMap<string, Explanation> = new Map([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE'].map(
    (code): [string, Explanation] => [code, AWAY],
  ),
  ['ENOTFOUND', { message: 'its host is not known', hint: 'correct the host under `store:`' }],
  ['EAI_AGAIN', { message: 'its host can’t be looked up', hint: 'look at the name server of this machine' }],
  ...[
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ].map((code): [string, Explanation] => [
    code,
    { message: 'its certificate is not trusted', hint: 'name the file of its authority under `store.ca`' },
  ]),
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    { message: 'its certificate is for another name', hint: 'name its host under `store` as the certificate does' },
  ],
  ['CERT_HAS_EXPIRED', { message: 'its certificate has expired', hint: 'renew the certificate of the database' }],
])

/** What the client library says without a code. */
const BY_TEXT: readonly (readonly [RegExp, Explanation])[] = [
  [
    /does not support SSL/,
    { message: 'it has no TLS', hint: 'turn on `ssl` in postgresql.conf, or reach it by a socket or on this machine' },
  ],
  [
    /client password must be/,
    { message: 'it wants a password', hint: 'set AUDGATE_STORE_PASSWORD to the password of the user in `store`' },
  ],
]

/** The store's own error for one of the database's or of the network's; whatever else it is comes back as it was. */
export function asStoreError(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof StoreError || error instanceof TypeError) return error
  const { message, hint } = explain(error)
  return new StoreError(`store ${place}: ${message}`, hint, { cause: error })
}

function explain(error: Error): Explanation {
  const code = codeOf(error)
  const known = BY_STATE.get(code) ?? BY_STATE.get(code.slice(0, 2)) ?? BY_SYSTEM_CODE.get(code)
  if (known !== undefined) return known
  if (isSqlState(code)) return { message: `the database reports ${code}`, hint: 'see the log of the database' }
  // Nor has it one for a connection that ended or a time that ran out.
  return BY_TEXT.find(([text]) => text.test(error.message))?.[1] ?? AWAY
}

/** Whether the database could not be reached, or went away; not what was wrong with who asks. */
export function isAway(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TypeError) && explain(error) === AWAY
}

/** SQLSTATE, a code of the system, or ''. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}

/** Whether the same transaction may succeed when it is carried out again: others got in its way. */
export function isCollision(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error))
}

/** Whether the connection is of no use any more: it ended, or leads to a server that can't be written to. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error)
  return !isSqlState(code) || code === '25006' || code.startsWith('57P') || code.startsWith('08')
}
