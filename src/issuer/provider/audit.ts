import type { EventEmitter } from 'node:events'
import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { gidOf } from '../../store/sealed-payload.ts'
import { StoreError } from '../../store/store.ts'
import { faultOf, type IssuerContext } from '../context.ts'
import { shownPath } from '../http/fault-answer.ts'
import { answerAfter, issuerRequestOf } from '../http/request.ts'
import { redemptionOf } from '../tokens/redemption.ts'
import { noteStoreFault } from './middleware.ts'

type Detail = Record<string, unknown>

/** Keeps an audit line of what the library does, and makes what it ends an act of revocation. */
export function auditEngine(context: IssuerContext, provider: Provider): void {
  const keep = (ctx: KoaContextWithOIDC, event: string, detail: Detail, level: 'info' | 'warn' = 'info'): void => {
    const { address } = issuerRequestOf(ctx.req)
    answerAfter(ctx.req, context.record(event, { ...detail, address }, level))
  }
  const emitter: EventEmitter = provider
  const told = new WeakMap<object, Detail>()
  provider.on('grant.success', (ctx) => keep(ctx, 'token.issued', issued(ctx)))
  provider.on('grant.error', (ctx, error) => {
    if (redemptionOf(ctx.req)?.kind === 'repeat') return context.trail.passOver()
    // A device asks every few seconds, and mostly too early.
    if (error.error === 'authorization_pending' || error.error === 'slow_down') return context.trail.passOver()
    const reused = error.error_detail === 'refresh token already used'
    const replayed = /already consumed$/.test(error.error_detail ?? '')
    const event = reused ? 'refresh.reuse' : replayed ? 'code.reuse' : 'token.refused'
    // Whose it was is told of what came twice: they should hear of it.
    const whose = event === 'token.refused' ? {} : { sub: subOf(ctx) }
    keep(ctx, event, { ...refused(ctx, error), ...whose }, 'warn')
  })
  provider.on('grant.revoked', (ctx, grantId) => {
    const gid = gidOf(grantId)
    const whose = { sub: subOf(ctx), client: ctx.oidc.client?.clientId }
    context.tell('authorization.ended', { gid, ...whose })
    answerAfter(ctx.req, context.acts.revokeAuthorization(gid, `client:${whose.client ?? ''}`, whose))
  })
  provider.on('authorization.success', (ctx) => keep(ctx, 'authorization.granted', authorized(ctx)))
  provider.on('authorization.error', (ctx, error) => {
    // Where it may not lead to the client the library tells what was wrong first, and at once what it answers: that is the line.
    const first = !told.has(ctx.req)
    told.set(ctx.req, refused(ctx, error))
    if (first) queueMicrotask(() => keep(ctx, 'authorization.refused', told.get(ctx.req) ?? {}))
  })
  provider.on('device_authorization.success', (ctx) => keep(ctx, 'device.asked', client(ctx)))
  const refusal = (event: string) => (ctx: KoaContextWithOIDC, error: Error) => {
    const detail = refused(ctx, error)
    if (detail.error !== 'unsupported_token_type') keep(ctx, event, detail)
  }
  provider.on('introspection.error', refusal('introspection.refused'))
  provider.on('revocation.error', refusal('revocation.refused'))
  provider.on('pushed_authorization_request.error', refusal('authorization.refused'))
  provider.on('registration_create.error', refusal('registration.refused'))
  provider.on('userinfo.error', refusal('userinfo.refused'))
  provider.on('end_session.error', refusal('logout.refused'))
  // The library's types leave these out.
  emitter.on('device_authorization.error', refusal('device.refused'))
  emitter.on('code_verification.error', refusal('user_code.refused'))
  emitter.on('device_resume.error', refusal('user_code.refused'))
  for (const event of ['end_session_confirm.error', 'end_session_success.error'])
    emitter.on(event, refusal('logout.refused'))
  provider.on('server_error', (ctx, error) => {
    if (error instanceof StoreError) noteStoreFault(ctx.req)
    context.tell('issuer.fault', { path: shownPath(ctx.path), ...faultOf(error) }, 'error')
  })
  // Koa prints faults that nobody listens for.
  emitter.on('error', (error: unknown) => context.tell('issuer.fault', faultOf(error), 'error'))
}

function client(ctx: KoaContextWithOIDC): Detail {
  return { client: ctx.oidc.client?.clientId, sub: ctx.oidc.session?.accountId }
}

/** The person whose code or token was shown. */
function subOf(ctx: KoaContextWithOIDC): string | undefined {
  const { RefreshToken, AuthorizationCode, DeviceCode, AccessToken, Grant } = ctx.oidc.entities
  return [RefreshToken, AuthorizationCode, DeviceCode, AccessToken, Grant].find((each) => each?.accountId)?.accountId
}

function authorized(ctx: KoaContextWithOIDC): Detail {
  const grantId = ctx.oidc.grant?.jti
  return {
    ...client(ctx),
    gid: grantId === undefined ? undefined : gidOf(grantId),
    resources: Object.keys(ctx.oidc.resourceServers ?? {}),
    scope: (ctx.oidc.authorizationCode ?? ctx.oidc.deviceCode)?.scope,
  }
}

function issued(ctx: KoaContextWithOIDC): Detail {
  const { AccessToken, ClientCredentials } = ctx.oidc.entities
  const token = AccessToken ?? ClientCredentials
  const redemption = redemptionOf(ctx.req)
  return {
    client: ctx.oidc.client?.clientId,
    sub: AccessToken?.accountId,
    grant_type: String(ctx.oidc.params?.grant_type),
    resource: token?.aud,
    scope: token?.scope,
    // The id of an opaque token is the token.
    jti: token?.aud === undefined ? undefined : token.jti,
    gid: redemption?.kind === 'person' ? redemption.gid : undefined,
  }
}

function refused(ctx: KoaContextWithOIDC, error: Error): Detail {
  const { error: code, error_description: description, error_detail: detail } = error as Detail & Error
  return { client: ctx.oidc.client?.clientId, error: code, description, detail }
}
