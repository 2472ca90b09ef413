import type { Config, LinkSettings } from './config.ts'

/** What the file says of the operator's page, to tell what differs. The mail server is told by name only: its address holds a password. */
export function adminSettings({ admin, mail }: Config): Record<string, string> {
  const shared = { admin: admin === undefined ? 'off' : 'on', mail: mail === undefined ? 'off' : `from ${mail.from}` }
  if (admin === undefined) return shared
  return {
    ...shared,
    'admin.groups': admin.groups.join(', '),
    'admin.readers': admin.readers.join(', ') || 'none',
    'admin.require': admin.require,
    'admin.fresh': `${admin.freshSeconds}s`,
    'admin.session': `${admin.sessionSeconds}s`,
    'admin.from': admin.from.join(', ') || 'everywhere',
    'admin.keep_refusals': `${admin.keepRefusalsSeconds}s`,
  }
}

/** Lives of one-time links, to tell what differs. */
export function linkSettings({ inviteSeconds, recoverSeconds }: LinkSettings): Record<string, string> {
  return { 'links.invite': `${inviteSeconds}s`, 'links.recover': `${recoverSeconds}s` }
}
