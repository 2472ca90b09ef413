import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Config } from '../config/config.ts'
import type { WeakSignIn } from '../core/assurance.ts'
import { denial } from '../core/denial.ts'
import type { ReservedRequest } from '../gateway/call.ts'
import type { BackChannel } from '../gateway/credentials/back-channel.ts'
import type { Issuer } from '../issuer/issuer.ts'
import type { IssuerOperations } from '../issuer/operations.ts'
import type { PublishedKey } from '../token/trusted-issuer.ts'

/** What answers the issuer's paths: the embedded issuer, nobody, or the audgate that a gateway on its own stands before. */
export interface IssuerMount {
  handle(reserved: ReservedRequest): void
  /** Undefined when this process holds no issuer. */
  readonly own: { readonly publicKeys: () => readonly PublishedKey[] } | undefined
  /** Answers a request for the embedded issuer that another process has taken in; undefined without one. */
  readonly answer: ((request: IncomingMessage, response: ServerResponse, clientAddress: string) => void) | undefined
  /** See `Issuer.providerAges`; undefined without an issuer in this process. */
  readonly providerAges?: () => Promise<ReadonlyMap<string, number>>
  /** What credentials that are no tokens are exchanged by. */
  readonly backChannel: BackChannel
  /** Undefined when this process holds no issuer. */
  readonly operations: IssuerOperations | undefined
  /** Signing in to the operator's pages; undefined when this process holds no issuer. */
  readonly adminSignIn: Issuer['adminSignIn'] | undefined
  onKeysChanged(listener: () => void): void
  /** A request was refused for the sign-in behind its token; undefined: nobody here remembers it. */
  readonly noteWeakSignIn?: ((refusal: WeakSignIn) => void) | undefined
  /** An upstream of the issuer has been found not to answer; undefined where there is none. */
  readonly upstreamFailed?: ((origin: string) => void) | undefined
  reconfigure(config: Config): Promise<void>
  close(): Promise<void>
}

/** Answers reserved paths where there is no issuer. */
export const NO_ISSUER: IssuerMount = {
  handle: ({ refuse }) => refuse(denial('no_route', 'there is nothing at this reserved path')),
  own: undefined,
  answer: undefined,
  backChannel: { ask: () => Promise.reject(new Error('there is no issuer')) },
  operations: undefined,
  adminSignIn: undefined,
  onKeysChanged: () => undefined,
  reconfigure: () => Promise.resolve(),
  close: () => Promise.resolve(),
}
