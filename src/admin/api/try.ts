import { z } from 'zod'
import { levelOf, OWN_ACR } from '../../core/levels.ts'
import { matchResource } from '../../core/resource.ts'
import { tokenOf } from '../decisions/again.ts'
import type { TokenFacts } from '../decisions/decision.ts'
import type { AdminDependencies, Holder } from '../dependencies.ts'
import { invalid } from '../problem.ts'
import type { App } from './app.ts'
import { clientOf } from './clients.ts'
import { CHECK } from './decisions.ts'
import { storable } from './page.ts'
import { personOf } from './person.ts'

const TOKEN_SECONDS = 300

const BODY = z.strictObject({
  person: storable(256).optional(),
  claims: z
    .looseObject({ groups: z.array(storable(64)).max(200).optional(), username: storable(64).optional() })
    .optional()
    .describe('What of a person is only thought of: groups, username.'),
  client: storable(2_048).optional(),
  resource: z.string().max(2_048),
  scopes: z.array(z.string().max(256)).max(100).optional(),
  request: z.strictObject({ method: z.string().max(32), url: z.string().max(8_192) }).optional(),
  signed_in: z
    .strictObject({ acr: z.enum(['pwd', 'mfa', 'phr']).optional(), age: z.number().min(0).optional() })
    .optional(),
})
type Body = z.output<typeof BODY>

/** What somebody would be given, and what a request would get. */
export const TRIED = z.object({
  issue: z.object({
    given: z.array(z.string()),
    left_out: z.array(z.object({ scope: z.string(), why: z.string() })),
    refused: z.string().optional(),
  }),
  claims: z.record(z.string(), z.unknown()).nullable(),
  decision: z
    .object({
      checks: z.array(CHECK),
      outcome: z.enum(['ok', 'refused']),
      reason: z.string().optional(),
      upstream: z.object({ url: z.string(), headers: z.array(z.array(z.string())) }).nullable(),
    })
    .nullable(),
})

interface Tried {
  readonly holder: Holder
  readonly subject: string
  readonly username: string | undefined
  readonly clientId: string
  /** Why nobody would get a token. */
  readonly barred: string | undefined
}

/** What somebody would be given, and what a request with it would get: by the functions that issue and judge. */
export function addTry(app: App, dependencies: AdminDependencies): void {
  const { issuer, judge, view, now } = dependencies
  app.post(
    '/access/try',
    { config: { access: { scope: 'r' } }, schema: { body: BODY, response: { 200: TRIED } } },
    async ({ body }) => {
      const resource = matchResource(view().issued, body.resource)
      if (resource === undefined) throw invalid('resource', 'is none that tokens are made for here')
      const tried = await triedOf(dependencies, body)
      const preview = issuer.preview(tried.holder, resource.identifier, body.scopes ?? [])
      const given = tried.barred === undefined ? preview.given : []
      const refused = tried.barred ?? preview.refused
      const issue = {
        given: [...given],
        left_out: preview.leftOut.map(({ scope, groups }) => ({ scope, why: whyLeftOut(tried, groups) })),
        ...(refused === undefined ? {} : { refused }),
      }
      const seconds = Math.floor(now() / 1_000)
      const claims =
        given.length === 0
          ? null
          : claimsOf(dependencies, tried, { resource: resource.identifier, given, body, seconds })
      if (body.request === undefined) return { issue, claims, decision: null }
      const evidence =
        claims === null ? ({ kind: 'none' } as const) : ({ kind: 'verified', token: tokenFrom(claims, tried) } as const)
      const judged = await judge.judge({ ...body.request, address: undefined }, evidence, seconds)
      if (judged === undefined) throw invalid('request', 'is no method and URL')
      const { upstream, reason } = judged
      const decision = {
        checks: [...judged.checks],
        outcome: judged.outcome,
        ...(reason === undefined ? {} : { reason }),
        upstream: upstream === undefined ? null : { url: upstream.url, headers: pairs(upstream.headers) },
      }
      return { issue, claims, decision }
    },
  )
}

async function triedOf({ store }: AdminDependencies, body: Body): Promise<Tried> {
  const client = body.client === undefined ? undefined : await clientOf(store, body.client)
  const clientId = client?.id ?? 'some-client'
  const revoked = client?.revoked === true ? 'the client is revoked' : undefined
  if (client?.type === 'service') {
    if (body.person !== undefined || body.claims !== undefined)
      throw invalid('client', 'is a service client: it acts for nobody, so name no person')
    const holder = { kind: 'service', allow: client.allow } as const
    return { holder, subject: clientId, username: undefined, clientId, barred: revoked }
  }
  if (body.person !== undefined) {
    if (body.claims !== undefined) throw invalid('claims', 'are of nobody who is there: leave them or `person` out')
    const { groups, sub, username, disabled } = await personOf(store, body.person)
    const barred = disabled ? 'the account is disabled' : revoked
    return { holder: { kind: 'person', groups }, subject: sub, username, clientId, barred }
  }
  const { claims } = body
  if (claims === undefined) throw invalid('person', 'is missing: name a person, claims, or a service client')
  const { groups = [], username = 'somebody' } = claims
  return {
    holder: { kind: 'person', groups },
    subject: 'usr_somebody',
    username,
    clientId,
    barred: revoked,
  }
}

interface Given {
  readonly resource: string
  readonly given: readonly string[]
  readonly body: Body
  readonly seconds: number
}

function claimsOf({ view }: AdminDependencies, tried: Tried, { resource, given, body, seconds }: Given) {
  const { holder, subject, username, clientId } = tried
  const times = { iat: seconds, exp: seconds + TOKEN_SECONDS }
  const shared = {
    iss: view().publicUrl,
    sub: subject,
    aud: resource,
    client_id: clientId,
    scope: given.join(' '),
    ...times,
  }
  if (holder.kind === 'service') return shared
  const { acr = 'pwd', age = 0 } = body.signed_in ?? {}
  const sign = { auth_time: seconds - age, acr }
  return { ...shared, ...sign, username, groups: [...holder.groups] }
}

function tokenFrom(claims: ReturnType<typeof claimsOf>, { holder, username }: Tried) {
  return {
    ...tokenOf({
      issuer: claims.iss,
      embedded: true,
      subject: claims.sub,
      clientId: claims.client_id,
      audience: [claims.aud],
      scope: claims.scope.split(' '),
      expiresAt: claims.exp,
      issuedAt: claims.iat,
      jti: undefined,
      gid: undefined,
      username,
      groups: holder.kind === 'person' ? holder.groups : [],
      ...signInOf(claims),
    }),
    claims,
  }
}

/** Service clients sign nobody in. */
function signInOf(claims: ReturnType<typeof claimsOf>): Pick<TokenFacts, 'level' | 'authTime' | 'acrMap'> {
  if (!('auth_time' in claims)) return {}
  return { level: levelOf(claims.acr, OWN_ACR), authTime: claims.auth_time, acrMap: OWN_ACR }
}

function whyLeftOut({ holder }: Tried, groups: readonly string[]): string {
  if (holder.kind === 'service') return 'the operator has not allowed it to this client'
  return groups.length === 0 ? 'no group gives it' : `needs one of the groups ${groups.join(', ')}`
}

function pairs(raw: readonly string[]): string[][] {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? '']] : []))
}
