import type { Checking } from './checking.ts'
import type { Secrets } from './config.ts'
import type { Environment } from './read-yaml.ts'

/** Short enough to type, long enough that nobody guesses it over the network. */
const SHORTEST = 16

/** What the environment has of {@link Secrets}; an empty variable is an unset one, as compose files leave them. */
export function readSecrets(env: Environment): Secrets {
  const read = (name: string) => (Object.hasOwn(env, name) && env[name] !== '' ? env[name] : undefined)
  return Object.freeze({
    secret: read('AUDGATE_SECRET'),
    registrationToken: read('AUDGATE_REGISTRATION_TOKEN'),
    feedToken: read('AUDGATE_FEED_TOKEN'),
  })
}

/** Checks that what the file asks for is there, and that nothing is too short. Values are never shown. */
export function checkSecrets(checking: Checking, secrets: Secrets): void {
  const { issuer } = checking.draft
  const registers = typeof issuer === 'object' && 'registration' in issuer && issuer.registration === 'token'
  const follows = typeof issuer === 'object' && 'upstream' in issuer
  if (registers && secrets.registrationToken === undefined) {
    checking.at(['issuer', 'registration'], '`registration: token` needs AUDGATE_REGISTRATION_TOKEN in the environment')
  }
  if (follows && secrets.feedToken === undefined) {
    checking.at(
      ['issuer', 'upstream'],
      '`issuer.upstream` needs AUDGATE_FEED_TOKEN in the environment, the same as there',
    )
  }
  checkStrength(checking, 'AUDGATE_SECRET', secrets.secret)
  checkBearer(checking, 'AUDGATE_REGISTRATION_TOKEN', secrets.registrationToken)
  checkBearer(checking, 'AUDGATE_FEED_TOKEN', secrets.feedToken)
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
