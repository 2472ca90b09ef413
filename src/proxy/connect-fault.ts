/** What codes of the system, of TLS and of certificates mean to who has to mend it. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ECONNRESET', 'the connection was broken'],
  ['EPIPE', 'the connection was broken'],
  ['ENOTFOUND', 'the name has no address'],
  ['EAI_AGAIN', 'the name can not be looked up now'],
  ['EHOSTUNREACH', 'no way leads to that address'],
  ['ENETUNREACH', 'no way leads to that address'],
  ['ETIMEDOUT', 'nobody answers at that address'],
  ['EADDRNOTAVAIL', 'the system has no free port left'],
  ['EMFILE', 'the process has no file descriptor left'],
  ['ENOENT', 'there is no such socket'],
  ['EACCES', 'this process may not use the socket'],
  ['ENOTSOCK', 'this is no socket'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed: name it or its authority in upstream_tls.ca'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'the authority of its certificate is not trusted: name it in upstream_tls.ca'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'the authority of its certificate is not trusted: name it in upstream_tls.ca'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'the authority of its certificate is not trusted: name it in upstream_tls.ca'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'it does not send the chain of its certificate, or its authority is not trusted'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet'],
  ['CERT_REVOKED', 'its certificate is revoked'],
  ['CERT_SIGNATURE_FAILURE', 'the signature of its certificate is wrong'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name: see upstream_tls.server_name'],
  ['HOSTNAME_MISMATCH', 'its certificate is for another name: see upstream_tls.server_name'],
  ['0A00010B', 'it does not speak TLS: is it http?'],
  ['0A0000C6', 'it does not speak TLS: is it http?'],
  ['0A000460', 'it does not offer HTTP/1.1, HTTP/2 alone perhaps'],
  ['0A00042E', 'it does not speak TLS 1.2 or 1.3'],
  ['0A000102', 'it does not speak TLS 1.2 or 1.3'],
  ['0A000410', 'it has no cipher or certificate in common with this process'],
  ['0A00045C', 'it asks for a client certificate'],
])

/** Why a connection could not be had, or broke, in words for the log; the code stands first. */
export function connectFault(error: (Error & { readonly code?: string }) | undefined): string {
  if (error === undefined) return 'the connection was closed'
  const code = tlsCode(error) ?? error.code ?? error.name
  const meaning = MEANINGS.get(code)
  return meaning === undefined ? code : `${code}: ${meaning}`
}

/** OpenSSL's own number, where that is the matter: node hands it over in the text alone. */
function tlsCode({ message }: Error): string | undefined {
  return /\berror:([0-9A-F]{8}):SSL routines:/.exec(message)?.[1]
}

/** What an upstream speaks in place of HTTP/1.1, by its first bytes. */
const SPEECH: readonly (readonly [RegExp, string])[] = [
  [/^\0\0[\0-\xff][\x04\x07]\0/, 'this is HTTP/2, not HTTP/1.1'],
  [/^[\x15\x16]\x03[\0-\x04]/, 'this is TLS, not HTTP/1.1: is it https?'],
  [/^SSH-/, 'this is SSH, not HTTP/1.1'],
  [/^HTTP\/[02-9]/, 'this is another version of HTTP'],
]

/** What is wrong with an answer that doesn't begin as one of HTTP/1.1. @param text Its first bytes, latin1. */
export function speechFault(text: string): string {
  return SPEECH.find(([pattern]) => pattern.test(text))?.[1] ?? `this is not HTTP/1.1: ${quoted(text)}`
}

/** Foreign bytes for the log: the first 40, those that aren't printable as `?`. */
export function quoted(text: string): string {
  const shown = text.slice(0, 40).replace(/[^ -~]/g, '?')
  return `"${shown}${text.length > 40 ? '...' : ''}"`
}
