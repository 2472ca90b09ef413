import { addressGroup } from '../../core/address.ts'
import { readBearer } from '../../core/credential.ts'
import { type Presented, readPresented } from '../../core/presented.ts'
import type { CredentialKind } from '../../core/route.ts'
import { type Evidence, rejected } from '../../core/token.ts'
import type { Verifier } from '../../token/verifier.ts'
import type { RouteMatch } from '../judge.ts'
import type { Policy } from '../policy.ts'
import type { ShownSession } from '../remembered.ts'
import type { RequestHead } from '../request-head.ts'
import type { RequestRecord } from '../request-log.ts'
import { AppPasswordSource } from './app-password-evidence.ts'
import type { BackChannel } from './back-channel.ts'
import { type SessionEvidence, SessionSource } from './session-evidence.ts'
import { hasOwnField, isPlainToken, readShown } from './shown.ts'
import { TicketSource } from './ticket-evidence.ts'

const NONE: Evidence = { kind: 'none' }
const FOREIGN_PASSWORD = rejected(
  'bad_app_password',
  'this is no app password; a person’s own password is never taken here: make an app password in your account',
)
const FOREIGN_COOKIE = rejected(
  'cross_origin_request',
  'another site asked, and your session counts for this site only',
)
const YOUNG_SECONDS = 60

/**
 * What a request's credential proves, whatever kind it is: each becomes the same verified token. What was sent on purpose decides alone; a
 * browser's session counts where nothing was.
 */
export class Credentials {
  readonly #verifier: Verifier
  readonly #appPasswords: AppPasswordSource
  readonly #tickets: TicketSource
  readonly sessions: SessionSource

  constructor(verifier: Verifier, backChannel: BackChannel) {
    this.#verifier = verifier
    this.#appPasswords = new AppPasswordSource(verifier, backChannel)
    this.#tickets = new TicketSource(verifier, backChannel)
    this.sessions = new SessionSource(verifier, backChannel)
  }

  /**
   * The evidence, at once where the token is known already; `record` is told what it came by. Does NOT judge audience or scope.
   * @param now NumericDate, seconds.
   */
  gather(
    policy: Policy,
    match: RouteMatch,
    head: RequestHead,
    record: RequestRecord,
    now: number,
  ): Evidence | Promise<Evidence> {
    const shown = readShown(policy, match.route, match.host, head)
    if (head.bearer !== undefined && match.ticket === undefined && isPlainToken(shown, head.bearer)) {
      record.credential = 'bearer'
      record.shown = 'sent'
      return this.#bearer(head.bearer, now)
    }
    const presented = shown.presented ?? readPresented(match.route, head.rawHeaders, head.bearer)
    if (match.ticket !== undefined) return this.#ticket(match, presented, head, record, now)
    if (presented.kind === 'none') return this.#session(match, shown.session, record, now)
    record.shown = 'sent'
    return this.#presented(match, presented, head, record, now)
  }

  /** What an access token proves that was not sent by anybody. */
  verify(token: string, now: number): Evidence | Promise<Evidence> {
    return this.#verifier.verify({ scheme: 'bearer', token }, now)
  }

  /** Whether an answer to this request says nothing to shared caches by itself: they look at `Authorization` alone (RFC 9111 §3.5). */
  isPrivate({ ticket }: RouteMatch, { memo, rawHeaders }: RequestHead, { credential }: RequestRecord): boolean {
    // What is public too: its page would tell where it stands, with the ticket.
    if (ticket !== undefined) return true
    if (credential === 'none') return false
    if (credential === 'session') return true
    return memo?.hasOwnField ?? hasOwnField(rawHeaders)
  }

  #presented(
    match: RouteMatch,
    presented: Exclude<Presented, { kind: 'none' }>,
    head: RequestHead,
    record: RequestRecord,
    now: number,
  ): Evidence | Promise<Evidence> {
    switch (presented.kind) {
      case 'malformed':
        return presented
      case 'not_accepted':
        record.credential = presented.what === 'token' ? 'bearer' : presented.what
        return notAccepted(presented.what)
      case 'bearer':
        record.credential = 'bearer'
        return this.#bearer(presented.token, now)
      case 'dpop': {
        record.credential = 'dpop'
        const { token, proof } = presented
        return this.#verifier.verify({ scheme: 'dpop', token, proof, method: head.method, url: proofUrl(match) }, now)
      }
      case 'app_password':
        return this.#appPassword(presented.secret, match, record, now)
      case 'foreign_password':
        record.credential = 'app_password'
        return presented.isKey ? this.#appPassword('', match, record, now) : FOREIGN_PASSWORD
    }
  }

  /** What is no token of the grammar is never verified, so that only a refusal has to ask for it. */
  #bearer(token: string, now: number): Evidence | Promise<Evidence> {
    const evidence = this.#verifier.verify({ scheme: 'bearer', token }, now)
    if (evidence instanceof Promise || evidence.kind !== 'rejected' || evidence.fault !== 'malformed_token')
      return evidence
    const credential = readBearer(token)
    return credential.kind === 'malformed' ? credential : evidence
  }

  #appPassword(secret: string, { client }: RouteMatch, record: RequestRecord, now: number) {
    record.credential = 'app_password'
    const found = this.#appPasswords.evidence(secret, addressGroup(client.address).narrow, now)
    if (!(found instanceof Promise)) return found.evidence
    return found.then(({ evidence, throttled }) => {
      record.throttled = throttled
      return evidence
    })
  }

  #ticket(match: RouteMatch, presented: Presented, head: RequestHead, record: RequestRecord, now: number) {
    const { ticket, route, host, target } = match
    record.credential = 'ticket'
    record.shown = 'sent'
    if (!route.credentials.includes('ticket')) return notAccepted('ticket')
    if (ticket === undefined || ticket === 'several' || presented.kind !== 'none') return TWO
    const resource = route.access.kind === 'protected' ? route.access.resource.identifier : ''
    return this.#tickets.evidence({ ticket, method: head.method, host, path: target.path, resource }, now)
  }

  #session({ route }: RouteMatch, session: ShownSession, record: RequestRecord, now: number) {
    if (session.kind === 'none' || route.access.kind === 'public') return NONE
    record.credential = 'session'
    record.shown = 'session'
    if (session.kind === 'foreign') return FOREIGN_COOKIE
    const { idHash, origin } = session
    const found = this.sessions.evidence({ idHash, origin, resource: route.access.resource.identifier }, now)
    return found instanceof Promise ? found.then((late) => tell(late, record, now)) : tell(found, record, now)
  }
}

const TWO: Evidence = { kind: 'malformed', detail: 'there are two credentials: send one of them' }

function tell({ evidence, facts }: SessionEvidence, record: RequestRecord, now: number): Evidence {
  record.isYoung = facts !== undefined && !facts.isGone && now < facts.signedInAt + YOUNG_SECONDS
  return evidence
}

const NAMES: Readonly<Record<CredentialKind, string>> = {
  token: 'access tokens',
  session: 'sessions',
  app_password: 'app passwords',
  ticket: 'tickets',
}

function notAccepted(what: CredentialKind): Evidence {
  return rejected('credential_not_accepted', `this route takes no ${NAMES[what]}`)
}

/**
 * The URL that a DPoP proof has to name (RFC 9449 §4.3, `htu`): as the client sees it, without the query. '' on a host that is none of ours: a
 * proof that was made for another site must not become one for us by its own Host.
 */
function proofUrl({ client, target }: RouteMatch): string {
  return client.own ? `${client.protocol}://${client.host}${target.path}` : ''
}
