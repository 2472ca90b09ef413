import { type Checking, type FileDraft, present, reportDoubles } from './checking.ts'

/** Checks `issuer`, `trusted_issuers` and the listeners: what needs several keys of theirs. */
export function checkIssuers(checking: Checking): void {
  checkEmbedded(checking)
  checkTrusted(checking)
  checkListeners(checking)
}

/** Whether tokens of the issuer at `public_url` exist: it is here, or this gateway follows one that has it. */
export function hasOwnIssuer(draft: FileDraft): boolean {
  return draft.issuer !== false
}

function checkEmbedded(checking: Checking): void {
  const { issuer } = checking.draft
  if (issuer === undefined || issuer === false || !('access_token_ttl' in issuer)) return
  const { access_token_ttl: access, refresh_token_ttl: idle, refresh_token_max: most } = issuer
  if (idle !== undefined && most !== undefined && idle > most) {
    checking.at(
      ['issuer', 'refresh_token_ttl'],
      '`issuer.refresh_token_ttl` must not be longer than `refresh_token_max`',
    )
  }
  if (access !== undefined && most !== undefined && access > most) {
    checking.at(['issuer', 'access_token_ttl'], '`issuer.access_token_ttl` must not be longer than `refresh_token_max`')
  }
}

function checkTrusted(checking: Checking): void {
  const { draft } = checking
  const trusted = present(draft.trusted_issuers)
  for (const [index, issuer] of trusted) {
    const path = ['trusted_issuers', index]
    if (issuer.jwks_uri !== undefined && issuer.jwks_file !== undefined) {
      checking.atKey([...path, 'jwks_file'], 'write `jwks_uri` or `jwks_file`, not both')
    }
    if (hasOwnIssuer(draft) && issuer.issuer !== undefined && issuer.issuer === draft.public_url) {
      checking.at(
        [...path, 'issuer'],
        'is `public_url`: the embedded issuer is trusted as `embedded`; remove this entry',
      )
    }
    const algorithms = present(issuer.algorithms).map(([at, name]) => [[...path, 'algorithms', at], name] as const)
    reportDoubles(
      checking,
      algorithms,
      (name) => name,
      () => 'this algorithm stands here twice; remove one',
    )
  }
  reportDoubles(
    checking,
    trusted.map(([index, issuer]) => [['trusted_issuers', index, 'issuer'], issuer] as const),
    (issuer) => issuer.issuer,
    (line) => `the same issuer stands in line ${line}; write it once`,
  )
}

function checkListeners(checking: Checking): void {
  const { listen, management } = checking.draft
  if (listen === undefined || management === undefined || listen.port === 0 || listen.port !== management.port) return
  if (!canMeet(listen.host, management.host)) return
  checking.at(['management'], '`management` must have a port of its own: it is never on the public listener')
}

/** Whether listeners of two hosts could take the same address; names other than localhost are known to the system only. */
function canMeet(one: string, other: string): boolean {
  const every = ['', '0.0.0.0', '::']
  if (every.includes(one) || every.includes(other)) return true
  const addresses = (host: string) => (host === 'localhost' ? ['127.0.0.1', '::1'] : [host])
  return addresses(one).some((address) => addresses(other).includes(address))
}
