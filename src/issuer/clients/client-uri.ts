import type { ClientType } from '../../store/store.ts'

const LONGEST = 2048
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Schemes that act in a browser or on a desktop, or that are no app's own: never registered, whoever asks. */
const ACTING: ReadonlySet<string> = new Set(
  [
    // run or show what the URI holds, or the browser's own pages
    'javascript jscript livescript mocha vbscript data blob filesystem about view-source wyciwyg resource jar mhtml mk res cid mid',
    'chrome chrome-extension chrome-untrusted chrome-search devtools edge opera brave vivaldi moz-extension extension safari-extension',
    'safari-web-extension feed pcast',
    // open files, shares and sessions
    'file ftp ftps sftp tftp smb cifs afp nfs ssh telnet rlogin tn3270 ldap ldaps rdp vnc gopher wais nntp news snews rsync svn git',
    // act on the desktop or the phone
    'search search-ms shell help hcp jnlp jnlps applescript x-man-page x-help-script diagnostics calculator onenote-cmd ms',
    'intent android-app market itms itms-apps itms-services app-settings app-prefs prefs facetime facetime-audio imessage',
    'mailto tel sms smsto mms callto sip sips skype geo maps webcal magnet bitcoin lightning',
    // the web's, but no place to be sent back to
    'ws wss urn tag uuid dns',
  ].flatMap((line) => line.split(' ')),
)

/**
 * What is wrong with a URI that a client of `type` sends people back to (RFC 8252 §7, RFC 9700 §4.1), in words that say what to do;
 * undefined: nothing. Later it is compared byte for byte; only loopback ports of `native` clients are free.
 */
export function redirectUriProblem(type: ClientType, uri: string): string | undefined {
  if (type === 'service') return 'A service client has no redirect URI.'
  const problem = shapeProblem(uri)
  if (problem !== undefined) return `Redirect URI ${quoted(uri)} ${problem}.`
  const { protocol, hostname } = new URL(uri)
  if (protocol === 'https:') return undefined
  if (protocol === 'http:') {
    return LOOPBACK.has(hostname) ? undefined : `Redirect URI ${uri} must use https; http is for localhost only.`
  }
  if (type === 'native' && isPrivateScheme(uri, protocol)) return undefined
  const allowed = type === 'native' ? 'https, http://127.0.0.1 or a scheme of its own like com.example.app:/' : 'https'
  return `Redirect URI ${uri} must use ${allowed}.`
}

/** What is wrong with the address of a page, picture or key set of a client; undefined: nothing. */
export function linkProblem(name: string, uri: string): string | undefined {
  const problem = shapeProblem(uri)
  if (problem !== undefined) return `${name} ${quoted(uri)} ${problem}.`
  const { protocol } = new URL(uri)
  return protocol === 'https:' || protocol === 'http:' ? undefined : `${name} ${quoted(uri)} must use https.`
}

/**
 * What is wrong with any URI among what a client says of itself, known here or not: members whose names end in `_uri` or `_uris`.
 * @param redirects members that people are sent to; they may be of an app's own scheme.
 */
export function metadataUriProblem(
  metadata: Readonly<Record<string, unknown>>,
  redirects: readonly string[],
): { readonly member: string; readonly problem: string } | undefined {
  for (const [member, value] of Object.entries(metadata)) {
    if (!/_uris?$/.test(member) || value === undefined || value === null) continue
    for (const uri of [value].flat()) {
      if (typeof uri !== 'string') return { member, problem: `${member} must hold text` }
      const problem = redirects.includes(member) ? redirectUriProblem('native', uri) : linkProblem(member, uri)
      if (problem !== undefined) return { member, problem }
    }
  }
  return undefined
}

/** Whether it leads to the person's own machine over http, where the port is not known before (RFC 8252 §7.3). */
export function isLoopbackRedirect(uri: string): boolean {
  const url = URL.parse(uri)
  return url !== null && url.protocol === 'http:' && LOOPBACK.has(url.hostname)
}

/** Whether it leads to an app on the person's machine by a scheme of its own. */
export function isPrivateRedirect(uri: string): boolean {
  return !/^https?:/i.test(uri)
}

function shapeProblem(uri: string): string | undefined {
  if (uri.length > LONGEST) return `is longer than ${LONGEST} characters`
  // URL parsers drop some of these silently, so that what is compared would not be what is followed.
  if (/[^\x21-\x7e]|[\\<>"^`{|}]/.test(uri)) return 'contains characters that a URI cannot have'
  if (uri.includes('#')) return 'must not have a fragment'
  if (uri.includes('*')) return 'must not contain a wildcard; register each URI'
  const url = URL.parse(uri)
  if (url === null) return 'is not an absolute URI'
  if (url.username !== '' || url.password !== '' || /^[^/]*\/\/[^/?]*@/.test(uri)) {
    return 'must not contain a user name or password'
  }
  if (/^https?:(?!\/\/[^/?])/i.test(uri)) return 'is not an absolute URI'
  // Parsers let signs such as `;` stand in a host, where every later reader cuts in its own way.
  if (/^https?:/i.test(uri) && !/^(?:[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/.test(url.hostname)) {
    return 'has a host that is no name'
  }
  return undefined
}

/** A scheme of an app's own (RFC 8252 §7.1), and something behind it that reads as a place: `myapp:/cb`, `cursor://x/cb`. */
function isPrivateScheme(uri: string, protocol: string): boolean {
  const scheme = protocol.slice(0, -1)
  if (ACTING.has(scheme) || scheme.startsWith('ms-') || scheme.startsWith('web+')) return false
  return /^[a-z][a-z0-9+.-]+$/.test(scheme) && uri.slice(protocol.length).startsWith('/')
}

function quoted(uri: string): string {
  return JSON.stringify(uri.slice(0, 200))
}
