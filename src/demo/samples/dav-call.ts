import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DavLocks } from './dav-locks.ts'
import type { DavPath } from './dav-path.ts'
import { type DavFolder, type DavNode, nodeAt } from './dav-tree.ts'
import { Refusal } from './sample-server.ts'

/** What the sample file server (WebDAV, RFC 4918) holds. */
export interface DavServer {
  readonly root: DavFolder
  readonly locks: DavLocks
}

/** One request to the server. */
export interface DavCall extends DavServer {
  readonly path: DavPath
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Answers a call; throws a Refusal. */
export type DavMethod = (call: DavCall) => Promise<void> | void

/** Bodies of XML that are read, at most. */
export const MAX_XML_BYTES = 16 * 1024

/** What stands at the path; throws a 404 Refusal when nothing does. */
export function present(root: DavFolder, path: DavPath): DavNode {
  const node = nodeAt(root, path)
  if (node === undefined) throw new Refusal(404, 'there is nothing of this name')
  return node
}
