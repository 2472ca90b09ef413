import { z } from 'zod'
import type { UserRecord } from '../../store/store.ts'
import { whyOf } from '../caller.ts'
import type { AdminDependencies, LinkWish, MadeLink, Why } from '../dependencies.ts'
import { conflict, invalid, notFound, Problem } from '../problem.ts'
import type { App } from './app.ts'
import { TIME, timeOf } from './page.ts'
import { personOf, SUB } from './person.ts'

const LONGEST_SECONDS = 30 * 86_400

/** A link as it is shown: once. */
export const LINK = z.object({
  id: z.string(),
  url: z.string(),
  expires_at: TIME,
  mail: z
    .object({ sent: z.boolean(), problem: z.string().optional() })
    .optional()
    .describe('Where a mail was asked for: whether the mail server took it. The link works either way.'),
})

/** One-time links for people. */
export function addLinks(app: App, dependencies: AdminDependencies): void {
  const { store, issuer } = dependencies
  const body = z.strictObject({
    kind: z.enum(['invite', 'recover']),
    ttl: z.int().min(60).max(LONGEST_SECONDS).optional().describe('Seconds.'),
    reset: z.array(z.enum(issuer.resettable)).default([]).describe('What goes when the link is used.'),
    mail: z.boolean().default(false).describe('Also sends it to the mail address of the person.'),
  })
  app.post(
    '/people/:sub/links',
    {
      config: { access: { scope: 'w', fresh: true, persons: true } },
      schema: { params: SUB, body, response: { 201: LINK } },
    },
    async ({ params, body, caller }, reply) => {
      const user = await personOf(store, params.sub)
      const { kind, ttl, reset, mail } = body
      if (mail) demandMailable(dependencies, user)
      const wish = { kind, user, seconds: ttl, reset }
      return reply.code(201).send(await makeLink(dependencies, wish, mail, whyOf(caller)))
    },
  )
  app.delete(
    '/people/:sub/links/:id',
    {
      config: { access: { scope: 'w' } },
      schema: { params: SUB.extend({ id: z.string().max(256) }), response: { 204: z.null() } },
    },
    async ({ params, caller }, reply) => {
      const user = await personOf(store, params.sub)
      if (!(await issuer.voidLink(params.id, user.sub, whyOf(caller)))) throw notFound('link')
      return reply.code(204).send(null)
    },
  )
}

/** Throws the problem where no mail can be sent to this person. */
export function demandMailable({ mail }: Pick<AdminDependencies, 'mail'>, { email }: Pick<UserRecord, 'email'>): void {
  if (!mail.on())
    throw conflict('mail_off', 'routes.yaml names no mail server (`mail`); the link is shown once instead')
  if (email === undefined) throw invalid('mail', 'this person has no mail address; add one, or send the link yourself')
}

/** Makes a link and, where that was asked for, sends it. Throws the problem where there is no link. */
export async function makeLink(
  { issuer, mail }: Pick<AdminDependencies, 'issuer' | 'mail'>,
  wish: LinkWish,
  mailed: boolean,
  why: Why,
): Promise<z.output<typeof LINK>> {
  const link = shownLink(await issuer.makeLink(wish, why))
  if (!mailed) return link
  const { kind, user } = wish
  const expiresAt = Date.parse(link.expires_at) / 1_000
  const problem = await mail.sendLink({ kind, user, url: link.url, expiresAt, by: why.by })
  return { ...link, mail: { sent: problem === undefined, ...(problem === undefined ? {} : { problem }) } }
}

function shownLink(made: MadeLink): z.output<typeof LINK> {
  if (made.kind === 'has_sign_in')
    throw conflict('has_sign_in', 'this person can sign in already; make a link of kind recover')
  if (made.kind === 'too_many')
    throw new Problem(429, 'too_many', 'five links of this person are open; void one first', {
      headers: { 'Retry-After': '3600' },
    })
  return { id: made.id, url: made.url, expires_at: timeOf(made.expiresAt) }
}
