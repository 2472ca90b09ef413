import assert from 'node:assert/strict'
import { type MadeAppPassword, makeAppPassword } from '../../../src/issuer/people/app-passwords.ts'
import { type BrowserGateway, Jar } from '../browser-gateway.ts'

const TERMS = { max: 31_536_000, unused: 15_552_000 }

/** Alice makes an app password for a resource of the gateway. @param life Seconds; undefined: as long as may be. */
export async function appPassword(
  box: BrowserGateway,
  id: 'photos' | 'files',
  scopes: readonly string[],
  life?: number,
  now = Date.now,
): Promise<Extract<MadeAppPassword, { kind: 'made' }>> {
  const { config } = box.gateway.server
  const resource = config.resources.find(({ identifier }) => identifier.endsWith(`/${id}`))
  const user = await box.store.userBySub(box.people.alice ?? '')
  if (resource === undefined || user === undefined) return assert.fail('no resource or user')
  const asked = { user, resource, scopes, name: 'drive', life }
  const made = await makeAppPassword(box.store, asked, TERMS, Math.floor(now() / 1000))
  return made.kind === 'made' ? made : assert.fail(made.problem)
}

const plain = new Jar()

/** One request without cookies, nothing followed. */
export function get(url: string, headers: Readonly<Record<string, string>>, method = 'GET') {
  return plain.send(url, { method, headers })
}

interface Ticket {
  readonly url: string
  readonly query_url: string
  readonly path_url: string
}

/** A ticket at the photos host. @param secret Bearer credentials. */
export async function ticketBy(
  box: BrowserGateway,
  wanted: Readonly<Record<string, string>>,
  secret: string,
): Promise<Ticket> {
  const answer = await plain.send(`${box.photos}/.audgate/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  })
  assert.equal(answer.status, 200, answer.text)
  return JSON.parse(answer.text)
}
