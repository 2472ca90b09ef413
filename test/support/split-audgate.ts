import { claimsOf, Person, redeem } from './issuer/browser-less-person.ts'
import { PASSWORD } from './issuer/issuer-under-test.ts'
import { runAudgate } from './programs/command-line.ts'

export const FEED_ENV = { AUDGATE_FEED_TOKEN: 'a-feed-token-that-is-long-enough' }

const REDIRECT = 'http://127.0.0.1/callback'

/**
 * routes.yaml of an audgate whose photos lie behind `upstream`.
 * @param settings lines of their own, `listen` and `issuer` among them.
 */
export function photosFile(publicUrl: string, upstream: string, settings: string): string {
  return `public_url: ${publicUrl}
${settings}
resources:
  - id: ${publicUrl}/photos
    name: Photo library
    scopes: { photos:read: See photos, photos:write: Change photos }
    grants: [{ groups: [photos], scopes: [photos:read, photos:write] }]
routes:
  - id: photos
    path: /photos
    resource: ${publicUrl}/photos
    upstream: ${upstream}
    rules:
      - { methods: [read], scopes: [photos:read] }
      - { methods: [write], scopes: [photos:write] }
`
}

/** Runs a command in the folder of an audgate and throws with what it said when it fails. */
export async function command(folder: string, args: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await runAudgate(folder, args, input)
  if (code !== 0) throw new Error(`audgate ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Adds alice, who may have the photos, and two native clients, `app` and `other`. */
export async function addPeople(folder: string): Promise<void> {
  await command(folder, ['user', 'add', 'alice', '--groups', 'photos', '--password-stdin'], `${PASSWORD}\n`)
  for (const id of ['app', 'other'])
    await command(folder, ['client', 'add', id, '--type', 'native', '--redirect-uri', REDIRECT])
}

/** Signs alice in by code through `origin`, an audgate that answers for `publicUrl`; answers the access token. */
export async function signIn(origin: string, publicUrl: string, clientId: string): Promise<string> {
  const asked = { clientId, redirectUri: REDIRECT, scope: 'photos:read', resource: `${publicUrl}/photos` }
  const attempt = await new Person(origin, 'alice').authorize(asked)
  if (attempt.code === '') throw new Error(`no code: ${attempt.url} ${attempt.text}`)
  const { body } = await redeem(origin, attempt, asked)
  if (claimsOf(body.access_token).iss !== publicUrl) throw new Error(`no token: ${JSON.stringify(body)}`)
  return body.access_token ?? ''
}

/** Status and reason of asking for a photo. */
export async function look(origin: string, token: string): Promise<string> {
  const answer = await fetch(`${origin}/photos/1`, { headers: { authorization: `Bearer ${token}` } })
  const body = await answer.text()
  const reason: unknown = answer.ok ? undefined : JSON.parse(body).reason
  return reason === undefined ? `${answer.status}` : `${answer.status} ${reason}`
}
