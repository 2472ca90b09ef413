import { z } from 'zod'
import { createKeyedLock } from '../../store/keyed-lock.ts'
import type { UserRecord } from '../../store/store.ts'
import { whyOf } from '../caller.ts'
import type { AdminDependencies, PersonChange } from '../dependencies.ts'
import { conflict, demandMatch, invalid, notFound, tagOf } from '../problem.ts'
import type { App } from './app.ts'
import { MOST_COUNTED } from './clients.ts'
import { demandFresh, demandPerson } from './demand.ts'
import { demandMailable, LINK, makeLink } from './links.ts'
import { PERSON, shownPerson } from './people.ts'
import { personOf, SUB } from './person.ts'

const GROUPS = z.array(z.string().max(64)).max(200)
const NEW_PERSON = z.strictObject({
  username: z.string().max(64),
  name: z.string().max(128).optional(),
  email: z.string().max(254).optional(),
  groups: GROUPS.default([]),
  invite: z.boolean().default(false).describe('Also makes a link, which is shown once.'),
  mail: z.boolean().default(false).describe('Also sends that link.'),
})
const NEW_ANSWER = PERSON.extend({ link: LINK.optional() })
const CHANGE = z.strictObject({
  name: z.string().max(128).nullable().optional(),
  email: z.string().max(254).nullable().optional(),
  groups: GROUPS.optional(),
})
const ENDED = z.object({ ended: z.object({ authorizations: z.number(), sessions: z.number() }) })
const NOTHING = z.strictObject({}).nullish()

/** Operations that change people. */
export function addPeopleWrites(app: App, dependencies: AdminDependencies): void {
  const { store, issuer } = dependencies
  const inTurn = turnsOver(dependencies)
  app.post(
    '/people',
    { config: { access: { scope: 'w' } }, schema: { body: NEW_PERSON, response: { 201: NEW_ANSWER } } },
    async ({ body, caller }, reply) => {
      if (body.invite || touchesAdmins(dependencies, body.groups)) demandPerson(caller)
      await demandFresh(caller, dependencies)
      const { username, name: displayName, email, groups } = body
      if (body.mail && !body.invite) throw invalid('mail', 'goes with `invite` only: there is nothing else to send')
      if (body.mail) demandMailable(dependencies, { email })
      const added = await issuer.addPerson({ username, displayName, email, groups }, whyOf(caller))
      if (added.kind === 'exists') throw conflict('exists', 'there is a person with this user name already')
      if (added.kind === 'invalid') throw invalid('body', added.problem)
      const { user } = added
      const wish = { kind: 'invite', user, seconds: undefined, reset: [] } as const
      const link = body.invite ? { link: await makeLink(dependencies, wish, body.mail, whyOf(caller)) } : {}
      return reply
        .code(201)
        .header('ETag', tagOf(user))
        .send({ ...shownPerson(user), ...link })
    },
  )
  app.patch(
    '/people/:sub',
    { config: { access: { scope: 'w' } }, schema: { params: SUB, body: CHANGE, response: { 200: PERSON } } },
    async ({ params, body, caller, headers }, reply) => {
      const user = await inTurn(async () => {
        const before = await personOf(store, params.sub)
        if (touchesAdmins(dependencies, [...before.groups, ...(body.groups ?? [])])) {
          demandPerson(caller)
          await demandFresh(caller, dependencies)
        }
        demandMatch(headers['if-match'], tagOf(before), shownPerson(before))
        const change = changeOf(body)
        const problem = issuer.problemOfPerson(change)
        if (problem !== undefined) throw invalid('body', problem)
        if (change.groups !== undefined) await demandAnother(dependencies, before, change.groups)
        if (Object.keys(change).length > 0) await issuer.changePerson(before.sub, change, whyOf(caller))
        return personOf(store, before.sub)
      })
      reply.header('ETag', tagOf(user))
      return shownPerson(user)
    },
  )
  for (const act of ['disable', 'sign-out'] as const) {
    app.post(
      `/people/:sub/${act}`,
      { config: { access: { scope: 'w' } }, schema: { params: SUB, body: NOTHING, response: { 200: ENDED } } },
      ({ params, caller }) =>
        inTurn(async () => {
          const user = await personOf(store, params.sub)
          if (act === 'disable') await demandAnother(dependencies, user, undefined)
          const ended = await countsOf(dependencies, user)
          const why = whyOf(caller)
          const acts = issuer.acts(why)
          await (act === 'disable' ? acts.disableUser(user.sub, why.by) : acts.signOutEverywhere(user.sub, why.by))
          return { ended }
        }),
    )
  }
  app.post(
    '/people/:sub/enable',
    {
      config: { access: { scope: 'w', fresh: true } },
      schema: { params: SUB, body: NOTHING, response: { 200: PERSON } },
    },
    async ({ params, caller }, reply) => {
      const user = await personOf(store, params.sub)
      if (touchesAdmins(dependencies, user.groups)) demandPerson(caller)
      const why = whyOf(caller)
      await issuer.acts(why).enableUser(user.sub, why.by)
      const enabled = await personOf(store, user.sub)
      reply.header('ETag', tagOf(enabled))
      return shownPerson(enabled)
    },
  )
  app.delete(
    '/people/:sub/sessions/:id',
    {
      config: { access: { scope: 'w' } },
      schema: { params: SUB.extend({ id: z.string().max(256) }), response: { 204: z.null() } },
    },
    async ({ params, caller }, reply) => {
      const user = await personOf(store, params.sub)
      if (!(await issuer.endSession(user.sub, params.id, whyOf(caller)))) throw notFound('session')
      return reply.code(204).send(null)
    },
  )
}

/**
 * Who is the last administrator is looked at and acted on in one step of the store, whichever instance does it. In this
 * process one waits at a time: whoever waits for the store holds a connection.
 */
function turnsOver({ store }: AdminDependencies): <T>(work: () => Promise<T>) => Promise<T> {
  const oneByOne = createKeyedLock()
  return (work) =>
    oneByOne.take('people', () =>
      store.unit(
        async () => {
          await store.hold({ people: true })
          return work()
        },
        () => true,
      ),
    )
}

function changeOf({ name, email, groups }: z.output<typeof CHANGE>): PersonChange {
  return {
    ...(name === undefined ? {} : { displayName: name ?? undefined }),
    ...(email === undefined ? {} : { email: email ?? undefined }),
    ...(groups === undefined ? {} : { groups: [...new Set(groups)] }),
  }
}

async function countsOf(
  { store }: AdminDependencies,
  { sub }: UserRecord,
): Promise<{ readonly authorizations: number; readonly sessions: number }> {
  const [authorizations, sessions] = await Promise.all([
    store.countAuthorizations({ sub }, MOST_COUNTED),
    store.sessions(sub),
  ])
  return { authorizations, sessions: sessions.length }
}

/** Whether these groups make an administrator, or a reader. */
function touchesAdmins({ view }: Pick<AdminDependencies, 'view'>, groups: readonly string[]): boolean {
  const { groups: admins, readers } = view()
  return groups.some((group) => admins.includes(group) || readers.includes(group))
}

/** Throws the problem where nobody could administer any more. @param left The groups that the person would keep. */
async function demandAnother(
  { issuer }: AdminDependencies,
  user: UserRecord,
  left: readonly string[] | undefined,
): Promise<void> {
  if (!(await issuer.isLastAdministrator(user, left))) return
  throw conflict('last_admin', `${user.username} is the last administrator who can sign in; make another one first`)
}
