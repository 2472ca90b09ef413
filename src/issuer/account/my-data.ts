import type { Store, UserRecord } from '../../store/store.ts'
import { seconds, siteOf } from '../context.ts'
import { ACCOUNT_PATH, type SignedInRequest } from './request.ts'

/** Where people get what is kept of them. */
export const DATA_PATH = `${ACCOUNT_PATH}/my-data`
const MOST_EVENTS = 10_000

/** Sends all that is kept of the person as a JSON file: no password, no hash, no key, nothing of others. */
export async function sendMyData(call: SignedInRequest): Promise<void> {
  const { context, request, response, session } = call
  const data = await dataOf(context.store, session.user)
  const text = JSON.stringify({ site: siteOf(context), made_at: timeOf(seconds(context)), ...data }, null, 2)
  const body = Buffer.from(`${text}\n`)
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-disposition': 'attachment; filename="my-data.json"',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'cache-control': 'no-store',
    'content-length': body.length,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

async function dataOf(store: Store, user: UserRecord): Promise<object> {
  const { sub } = user
  const [consents, authorizations, sessions, appPasswords, links, authenticator, passkeys, codes, events] =
    await Promise.all([
      store.consents({ sub }),
      store.authorizations({ sub }),
      store.sessions(sub),
      store.appPasswords({ sub }),
      store.providerLinks(sub),
      store.authenticator(sub),
      store.passkeys(sub),
      store.recoveryCodes(sub),
      store.auditsBy('sub', sub, Number.MAX_SAFE_INTEGER, MOST_EVENTS),
    ])
  return {
    account: {
      sub,
      username: user.username,
      name: user.displayName,
      email: user.email,
      groups: user.groups,
      created_at: timeOf(user.createdAt),
    },
    ways_to_sign_in: {
      password: user.passwordHash !== undefined,
      authenticator: authenticator === undefined ? undefined : { added_at: timeOf(authenticator.createdAt) },
      recovery_codes_left: codes,
      passkeys: passkeys.map(({ name, createdAt, lastUsedAt }) => ({
        name,
        created_at: timeOf(createdAt),
        last_used_at: timeOf(lastUsedAt),
      })),
      providers: links.map(({ issuer, linkedAt, email, groups }) => ({
        issuer,
        email,
        groups,
        connected_at: timeOf(linkedAt),
      })),
    },
    consents: consents.map(({ clientId, resource, granted, rejected, since }) => ({
      client: clientId,
      resource,
      granted,
      rejected,
      since: timeOf(since),
    })),
    authorizations: authorizations.map(({ gid, clientId, resources, label, createdAt, lastUsedAt, ended }) => ({
      gid,
      client: clientId,
      resources,
      device: label,
      since: timeOf(createdAt),
      last_used_at: timeOf(lastUsedAt),
      ended,
    })),
    browsers: sessions.map(({ browser, address, createdAt, seenAt, expiresAt }) => ({
      browser,
      address,
      signed_in_at: timeOf(createdAt),
      seen_at: timeOf(seenAt),
      until: timeOf(expiresAt),
    })),
    app_passwords: appPasswords.map(({ id, name, resource, scopes, createdAt, expiresAt, lastUsedAt }) => ({
      id,
      name,
      resource,
      scopes,
      created_at: timeOf(createdAt),
      expires_at: timeOf(expiresAt),
      last_used_at: timeOf(lastUsedAt),
    })),
    events: events.map(({ at, event, detail }) => ({ at: timeOf(at), event, ...detail })),
  }
}

function timeOf(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000).toISOString()
}
