import type { Secrets } from '../config.ts'
import { type Environment, readValueFile } from '../interpolation.ts'
import type { Checking, FileDraft } from './check.ts'

/** Where each secret stands; each may stand in a file instead, which `NAME_FILE` names. */
const NAMES: Readonly<Record<keyof Secrets, string>> = {
  secret: 'AUDGATE_SECRET',
  registrationToken: 'AUDGATE_REGISTRATION_TOKEN',
  feedToken: 'AUDGATE_FEED_TOKEN',
  storePassword: 'AUDGATE_STORE_PASSWORD',
  keyFile: 'AUDGATE_KEY_FILE',
}

/** Names of all variables that hold a secret, or the path of one: what a process without use for them is not given. */
export const SECRET_VARIABLES: readonly string[] = Object.values(NAMES).flatMap((name) => [name, `${name}_FILE`])

/** @property faults Sentences for the person who starts it; none shows a value. */
interface ReadSecrets {
  readonly secrets: Secrets
  readonly faults: readonly string[]
}

/** What the environment has of {@link Secrets}; an empty variable is an unset one, as compose files leave them. Paths are relative to the current folder. */
export function readSecrets(env: Environment): ReadSecrets {
  const faults: string[] = []
  const read = (name: string): string | undefined => {
    const [plain, path] = [textOf(env, name), textOf(env, `${name}_FILE`)]
    if (path === undefined) return plain
    const file = readValueFile(path)
    if (plain !== undefined) faults.push(`${name} and ${name}_FILE are both set in the environment; unset one`)
    else if (!file.ok) faults.push(`the file that ${name}_FILE names in the environment ${file.fault}`)
    else if (file.text === '') faults.push(`the file that ${name}_FILE names in the environment is empty`)
    else return file.text
    return plain
  }
  const entries = Object.entries(NAMES).map(([key, name]) => [key, read(name)])
  return { secrets: Object.freeze(Object.fromEntries(entries)), faults }
}

function textOf(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) && env[name] !== '' ? env[name] : undefined
}

/** Short enough to type, long enough that nobody guesses it over the network. */
const SHORTEST = 16

/** Checks that what the file asks for is there, and that nothing is too short. Values are never shown. */
export function checkSecrets(checking: Checking, { secrets, faults }: ReadSecrets): void {
  for (const fault of faults) checking.at([], fault)
  checkNeeded(checking, secrets, faults)
  checkStrength(checking, NAMES.secret, secrets.secret)
  checkBearer(checking, NAMES.registrationToken, secrets.registrationToken)
  checkBearer(checking, NAMES.feedToken, secrets.feedToken)
}

function checkNeeded(
  checking: Checking,
  { secret, keyFile, registrationToken, feedToken }: Secrets,
  faults: readonly string[],
): void {
  const { issuer } = checking.draft
  // Of a secret that is there and can't be had enough is said already.
  const lacks = (value: string | undefined, name: string) =>
    value === undefined && !faults.some((fault) => fault.includes(name))
  const registers = typeof issuer === 'object' && 'registration' in issuer && issuer.registration === 'token'
  const follows = typeof issuer === 'object' && 'upstream' in issuer
  if (registers && lacks(registrationToken, NAMES.registrationToken)) {
    checking.at(['issuer', 'registration'], '`registration: token` needs AUDGATE_REGISTRATION_TOKEN in the environment')
  }
  if (follows && lacks(feedToken, NAMES.feedToken)) {
    checking.at(
      ['issuer', 'upstream'],
      '`issuer.upstream` needs AUDGATE_FEED_TOKEN in the environment, the same as there',
    )
  }
  if (isShared(checking.draft) && keyFile === undefined && lacks(secret, NAMES.secret)) {
    checking.at(
      ['store'],
      '`store: postgres://…` needs AUDGATE_SECRET (or AUDGATE_KEY_FILE) in the environment, the same at every instance',
    )
  }
}

/** Whether this process holds the issuer, and its store is a database that others share. */
function isShared({ store, issuer }: FileDraft): boolean {
  const address = store !== undefined && 'url' in store ? store.url : store
  const embedded = issuer !== false && (issuer === undefined || !('upstream' in issuer))
  return embedded && address !== undefined && 'kind' in address && address.kind === 'postgres'
}

function checkStrength(checking: Checking, name: string, value: string | undefined): void {
  if (value !== undefined && value.length < SHORTEST) {
    checking.at([], `${name} in the environment is too short; use at least ${SHORTEST} random characters`)
  }
}

function checkBearer(checking: Checking, name: string, value: string | undefined): void {
  checkStrength(checking, name, value)
  // RFC 6750 §2.1: what else could stand in a header would be cut short or refused.
  if (value !== undefined && !/^[A-Za-z0-9._~+/-]+=*$/.test(value)) {
    checking.at([], `${name} in the environment may have letters, digits and -._~+/ only, and = at the end`)
  }
}
