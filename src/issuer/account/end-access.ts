import type { AuthorizationRecord } from '../../store/store.ts'
import { noteSignedOut } from '../http/cookies.ts'
import { clientName } from '../pages/words.ts'
import { type Connection, connectionsWith, deviceName, resourceName } from './overview.ts'
import {
  accountClient,
  ask,
  isConfirmed,
  knownClient,
  leadBack,
  posted,
  refuse,
  type SignedInRequest,
} from './request.ts'

/** Ends what one client has of this person, once they have said so twice. One that has nothing is no error. */
export async function disconnect(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const clientId = posted(call, 'client')
  const connection = (await connectionsWith(call)).find((each) => each.clientId === clientId)
  if (connection === undefined) return leadBack(call, { kind: 'gone', what: 'This app', atMs: context.now() }, sub)
  const name = await nameOf(call, clientId)
  if (!isConfirmed(call)) {
    return ask(
      call,
      'disconnect',
      { client: clientId },
      {
        question: `Disconnect ${name}?`,
        consequences: disconnectConsequences(call, name, connection),
        act: 'Disconnect',
      },
    )
  }
  const [entry] = await context.acts.revokeConsent(sub, clientId, sub)
  context.tell('consent.revoked', { sub, client: clientId, by: sub })
  const atMs = entry?.notBeforeMs ?? context.now()
  leadBack(call, { kind: 'ended', what: name, atMs, lastUsedAtMs: milliseconds(connection.lastUsedAt) }, sub)
}

/** Ends one authorization of this person. Those of others are as unknown as those that never were. */
export async function endDevice(call: SignedInRequest): Promise<void> {
  const { context, session } = call
  const { sub } = session.user
  const device = await ownDevice(call, posted(call, 'gid'))
  if (device === undefined) {
    return refuse(call, 404, { title: 'Nothing is here', what: 'This device is not connected to your account.' })
  }
  const { gid, clientId } = device
  const what = `${await nameOf(call, clientId)} on ${deviceName(device.label)}`
  if (device.ended) return leadBack(call, { kind: 'gone', what, atMs: context.now() }, sub)
  if (!isConfirmed(call)) {
    return ask(
      call,
      'end-device',
      { gid },
      {
        question: `Sign out ${what}?`,
        consequences: [
          'It loses its access at once, and connections that it holds open are closed.',
          'Your other devices, and what you have allowed the app, stay as they are.',
        ],
        act: 'Sign out',
      },
    )
  }
  const [entry] = await context.acts.revokeAuthorization(gid, sub, { sub, client: clientId })
  context.tell('authorization.ended', { sub, gid, client: clientId, by: sub })
  const atMs = entry?.notBeforeMs ?? context.now()
  leadBack(call, { kind: 'ended', what, atMs, lastUsedAtMs: milliseconds(device.lastUsedAt) }, sub)
}

/** Ends all tokens and sessions of this person, the one in hand too. Consents stay. */
export async function signOutEverywhere(call: SignedInRequest): Promise<void> {
  const { context, request, response, session, sessions } = call
  const { sub } = session.user
  const ended = posted(call, 'end_app_passwords') === 'yes'
  if (!isConfirmed(call)) {
    return ask(call, 'sign-out-everywhere', ended ? { end_app_passwords: 'yes' } : {}, {
      question: 'Sign out everywhere?',
      consequences: [
        'Every browser and every device of yours is signed out at once, this one too.',
        ended ? 'Your app passwords end, too.' : 'Your app passwords go on.',
        'Connected apps lose their access. They keep what you have allowed them, but you have to sign in to each again.',
      ],
      act: 'Sign out everywhere',
    })
  }
  const [entry] = await context.acts.signOutEverywhere(sub, sub, ended)
  context.tell('session.ended', { sub, everywhere: true, by: sub })
  await sessions.end(request, response)
  noteSignedOut(context, response)
  context.federation.wake()
  leadBack(call, { kind: 'everywhere', atMs: entry?.notBeforeMs ?? context.now() }, undefined)
}

function disconnectConsequences(call: SignedInRequest, name: string, connection: Connection): readonly string[] {
  const names = connection.resources.map(({ identifier }) => resourceName(call.context, identifier))
  const devices = connection.devices.length
  const where = devices === 0 ? '' : ` on ${devices === 1 ? '1 device' : `${devices} devices`}`
  const what = names.length === 0 ? 'its access' : `its access to ${new Intl.ListFormat('en').format(names)}`
  return [
    `${name} loses ${what} at once${where}, and connections that it holds open are closed.`,
    connection.consented
      ? 'What you have allowed it is forgotten: it has to ask you again before it gets anything.'
      : 'To use it again, you sign in to it again.',
  ]
}

async function ownDevice({ context, session }: SignedInRequest, gid: string): Promise<AuthorizationRecord | undefined> {
  const [found] = gid === '' ? [] : await context.store.authorizations({ sub: session.user.sub, gid })
  return found
}

async function nameOf({ context }: SignedInRequest, clientId: string): Promise<string> {
  return clientName(accountClient(clientId, await knownClient(context, clientId)).name)
}

function milliseconds(atSeconds: number | undefined): number | undefined {
  return atSeconds === undefined ? undefined : atSeconds * 1000
}
