import type { AdminCall } from '../admin/admin.ts'

/** What a form of the operator's page does. */
export interface Act {
  readonly call: AdminCall
  /** Asked once before what takes something away. */
  readonly confirm?: { readonly question: string; readonly consequences: readonly string[]; readonly label: string }
  /** Where the browser goes when it is done. */
  readonly back: string
  /** Key of the words that are shown there. */
  readonly done: keyof typeof DONE
}

/** What is said once something was done. */
export const DONE = {
  invited: 'The person was added.',
  disabled: 'The account is disabled; everything that it had has ended.',
  enabled: 'The account may be used again.',
  signed_out: 'Every session and every token of the person has ended.',
  changed: 'The changes are in force.',
  link: 'The link was made.',
  voided: 'The link does nothing any more.',
  session: 'The browser is signed out.',
  factor: 'This way to sign in is gone.',
  client: 'The client was added.',
  revoked: 'The client is revoked and gets nothing.',
  restored: 'The client may be used again.',
  ended: 'What it had has ended.',
  secret: 'The secret was made.',
  removed: 'The secret was removed.',
  deleted: 'The client was deleted.',
  rotated: 'A new key is published and signs soon.',
} as const

type Make = (ids: readonly string[], form: URLSearchParams) => Act

const PERSON = (id: string): string => `/people/${encodeURIComponent(id)}`
const CLIENT = (id: string): string => `/clients/${encodeURIComponent(id)}`
const post = (path: string, body?: object): AdminCall => ({ method: 'POST', path, body })

/** Acts by the path of their form; `:` stands for an id. */
const ACTS: Readonly<Record<string, Make>> = {
  '/people': (_ids, form) => ({
    call: post('/people', {
      username: form.get('username') ?? '',
      ...optional(form, 'name'),
      ...optional(form, 'email'),
      groups: form.getAll('groups'),
      invite: true,
      ...(form.get('mail') === 'true' ? { mail: true } : {}),
    }),
    back: '/admin/people',
    done: 'invited',
  }),
  '/people/:/disable': ([id = '']) => ({
    call: post(`${PERSON(id)}/disable`),
    confirm: {
      question: 'Disable this account?',
      consequences: [
        'All of their sessions and tokens end at once, and nobody can sign in as them.',
        'Links that they have made do nothing any more.',
      ],
      label: 'Disable',
    },
    back: `/admin${PERSON(id)}`,
    done: 'disabled',
  }),
  '/people/:/enable': ([id = '']) => ({
    call: post(`${PERSON(id)}/enable`),
    back: `/admin${PERSON(id)}`,
    done: 'enabled',
  }),
  '/people/:/sign-out': ([id = '']) => ({
    call: post(`${PERSON(id)}/sign-out`),
    confirm: {
      question: 'Sign this person out everywhere?',
      consequences: ['All of their browsers and apps are signed out at once. They can sign in again.'],
      label: 'Sign out everywhere',
    },
    back: `/admin${PERSON(id)}`,
    done: 'signed_out',
  }),
  '/people/:/change': ([id = ''], form) => ({
    call: {
      method: 'PATCH',
      path: PERSON(id),
      headers: { 'if-match': form.get('etag') ?? '' },
      // What was emptied goes.
      body: { name: typed(form, 'name'), email: typed(form, 'email'), groups: form.getAll('groups') },
    },
    back: `/admin${PERSON(id)}`,
    done: 'changed',
  }),
  '/people/:/links': ([id = ''], form) => ({
    call: post(`${PERSON(id)}/links`, {
      kind: form.get('kind') === 'invite' ? 'invite' : 'recover',
      ...(form.get('mail') === 'true' ? { mail: true } : {}),
    }),
    back: `/admin${PERSON(id)}`,
    done: 'link',
  }),
  '/people/:/links/:/void': ([id = '', link = '']) => ({
    call: { method: 'DELETE', path: `${PERSON(id)}/links/${encodeURIComponent(link)}` },
    confirm: {
      question: 'Void this link?',
      consequences: ['It does nothing any more, for whoever has it.'],
      label: 'Void',
    },
    back: `/admin${PERSON(id)}`,
    done: 'voided',
  }),
  '/people/:/factors/:/remove': ([id = '', factor = '']) => ({
    call: { method: 'DELETE', path: `${PERSON(id)}/factors/${encodeURIComponent(factor)}` },
    confirm: {
      question: 'Take this way to sign in away?',
      consequences: ['It opens the account no more, and all browsers of the person are signed out.'],
      label: 'Remove',
    },
    back: `/admin${PERSON(id)}`,
    done: 'factor',
  }),
  '/people/:/sessions/:/end': ([id = '', session = '']) => ({
    call: { method: 'DELETE', path: `${PERSON(id)}/sessions/${encodeURIComponent(session)}` },
    confirm: { question: 'Sign this browser out?', consequences: ['The browser is signed out at once.'], label: 'End' },
    back: `/admin${PERSON(id)}`,
    done: 'session',
  }),
  '/clients': (_ids, form) => ({
    call: {
      method: 'PUT',
      path: CLIENT(form.get('id') ?? ''),
      headers: { 'if-none-match': '*' },
      body: {
        type: form.get('type') ?? 'native',
        name: form.get('name') ?? '',
        redirect_uris: lines(form.get('redirect_uris')),
        ...(form.get('third_party') === 'true' ? { third_party: true } : {}),
        ...(form.get('type') === 'service' ? { allow: allowOf(lines(form.get('allow'))) } : {}),
      },
    },
    back: `/admin${CLIENT(form.get('id') ?? '')}`,
    done: 'client',
  }),
  '/clients/:/revoke': ([id = '']) => ({
    call: post(`${CLIENT(id)}/revoke`),
    confirm: {
      question: 'Revoke this client?',
      consequences: [
        'All of its tokens end at once, and it gets none until you restore it.',
        'What people have allowed it is forgotten.',
      ],
      label: 'Revoke',
    },
    back: `/admin${CLIENT(id)}`,
    done: 'revoked',
  }),
  '/clients/:/restore': ([id = '']) => ({
    call: post(`${CLIENT(id)}/restore`),
    back: `/admin${CLIENT(id)}`,
    done: 'restored',
  }),
  '/clients/:/end': ([id = '']) => ({
    call: post(`${CLIENT(id)}/end`),
    confirm: {
      question: 'End all tokens of this client?',
      consequences: ['Everybody who uses it is signed out of it. They can sign in again.'],
      label: 'End its tokens',
    },
    back: `/admin${CLIENT(id)}`,
    done: 'ended',
  }),
  '/clients/:/secrets': ([id = '']) => ({
    call: post(`${CLIENT(id)}/secrets`),
    back: `/admin${CLIENT(id)}`,
    done: 'secret',
  }),
  '/clients/:/secrets/:/remove': ([id = '', secret = '']) => ({
    call: { method: 'DELETE', path: `${CLIENT(id)}/secrets/${encodeURIComponent(secret)}` },
    confirm: {
      question: 'Remove this secret?',
      consequences: ['Whatever uses it gets no token any more.'],
      label: 'Remove',
    },
    back: `/admin${CLIENT(id)}`,
    done: 'removed',
  }),
  '/clients/:/delete': ([id = ''], form) => ({
    call: { method: 'DELETE', path: CLIENT(id), headers: { 'if-match': form.get('etag') ?? '' } },
    confirm: { question: 'Delete this client?', consequences: ['It is forgotten, with its secrets.'], label: 'Delete' },
    back: '/admin/clients',
    done: 'deleted',
  }),
  '/authorizations/:/end': ([gid = '']) => ({
    call: { method: 'DELETE', path: `/authorizations/${encodeURIComponent(gid)}` },
    confirm: {
      question: 'End this sign-in?',
      consequences: ['The app loses its access on this device at once.'],
      label: 'End',
    },
    back: '/admin/authorizations',
    done: 'ended',
  }),
  '/keys/rotate': () => ({
    call: post('/keys/rotate'),
    confirm: {
      question: 'Rotate the signing keys?',
      consequences: ['A new key is published now and signs soon. Tokens of the old one stay good until they expire.'],
      label: 'Rotate',
    },
    back: '/admin/system',
    done: 'rotated',
  }),
}

/** The act of a form's path below `/admin`; undefined: there is none. */
export function actOf(path: string, form: URLSearchParams): Act | undefined {
  const parts = path.split('/')
  for (const [pattern, make] of Object.entries(ACTS)) {
    const wanted = pattern.split('/')
    if (wanted.length !== parts.length) continue
    if (!wanted.every((part, index) => part === ':' || part === parts[index])) continue
    const ids = parts.filter((_, index) => wanted[index] === ':').map(decoded)
    return ids.every((id) => id !== undefined)
      ? make(
          ids.map((id) => id ?? ''),
          form,
        )
      : undefined
  }
  return undefined
}

/** A part of a path, unescaped; undefined where it is none. */
export function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

function optional(form: URLSearchParams, name: string): Readonly<Record<string, string>> {
  const value = typed(form, name)
  return value === null ? {} : { [name]: value }
}

function typed(form: URLSearchParams, name: string): string | null {
  return form.get(name)?.trim() || null
}

function lines(text: string | null): readonly string[] {
  return (text ?? '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** `RESOURCE=scope,scope` a line; a resource may hold `=`. */
function allowOf(entries: readonly string[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    entries.map((entry) => {
      const cut = entry.lastIndexOf('=')
      return [entry.slice(0, cut), entry.slice(cut + 1).split(/[\s,]+/)]
    }),
  )
}
