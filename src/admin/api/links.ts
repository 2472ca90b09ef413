import { z } from 'zod'
import type { AdminDependencies, MadeLink } from '../dependencies.ts'
import { conflict, notFound, Problem } from '../problem.ts'
import type { App } from './app.ts'
import { TIME, timeOf } from './page.ts'
import { SUB } from './people.ts'
import { personOf } from './person.ts'
import { whyOf } from './why.ts'

const LONGEST_SECONDS = 30 * 86_400

/** A link as it is shown: once. */
export const LINK = z.object({ id: z.string(), url: z.string(), expires_at: TIME })

const BODY = z.strictObject({
  kind: z.enum(['invite', 'recover']),
  ttl: z.int().min(60).max(LONGEST_SECONDS).optional().describe('Seconds.'),
  reset: z.array(z.enum(['password'])).default([]),
  mail: z.boolean().default(false),
})

/** One-time links for people. */
export function addLinks(app: App, dependencies: AdminDependencies): void {
  const { store, issuer } = dependencies
  app.post(
    '/people/:sub/links',
    {
      config: { access: { scope: 'w', fresh: true, persons: true } },
      schema: { params: SUB, body: BODY, response: { 201: LINK } },
    },
    async ({ params, body, caller }, reply) => {
      const user = await personOf(store, params.sub)
      if (body.mail) throw conflict('mail_off', 'mails are not sent from here; the link is shown once')
      const { kind, ttl, reset } = body
      return reply.code(201).send(shownLink(await issuer.makeLink({ kind, user, seconds: ttl, reset }, whyOf(caller))))
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

/** Throws the problem where there is no link. */
export function shownLink(made: MadeLink): z.output<typeof LINK> {
  if (made.kind === 'has_sign_in')
    throw conflict('has_sign_in', 'this person can sign in already; make a link of kind recover')
  if (made.kind === 'too_many')
    throw new Problem(429, 'too_many', 'five links of this person are open; void one first', {
      headers: { 'Retry-After': '3600' },
    })
  return { id: made.id, url: made.url, expires_at: timeOf(made.expiresAt) }
}
