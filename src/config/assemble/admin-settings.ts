import type { Config, EmbeddedIssuer } from '../config.ts'

/** What the file says of the operator's page, to tell what differs. The mail server is told by name only: its address holds a password. */
export function adminSettings({ admin, adminFrom, mail }: Config): Record<string, string> {
  const shared = {
    admin: admin === undefined ? 'off' : 'on',
    'admin.from': adminFrom.join(', ') || 'everywhere',
    mail: mail === undefined ? 'off' : `from ${mail.from}`,
  }
  if (admin === undefined) return shared
  return {
    ...shared,
    'admin.groups': admin.groups.join(', '),
    'admin.readers': admin.readers.join(', ') || 'none',
    'admin.require': admin.require,
    'admin.fresh': `${admin.freshSeconds}s`,
    'admin.session': `${admin.sessionSeconds}s`,
    'admin.keep_refusals': `${admin.keepRefusalsSeconds}s`,
  }
}

/** How people come in and show who they are, to tell what differs. */
export function peopleSettings(issuer: EmbeddedIssuer): Record<string, string> {
  const { links, secondFactor, rememberBrowserSeconds } = issuer
  return {
    'links.invite': `${links.inviteSeconds}s`,
    'links.recover': `${links.recoverSeconds}s`,
    'sign_in.authenticator': issuer.authenticator ? 'on' : 'off',
    'sign_in.passkeys': issuer.passkeys ? 'on' : 'off',
    'sign_in.second_factor': typeof secondFactor === 'string' ? secondFactor : secondFactor.join(', '),
    'sign_in.password_min': String(issuer.passwordMin),
    'sign_in.remember_browser': rememberBrowserSeconds === 0 ? '0' : `${rememberBrowserSeconds}s`,
  }
}
