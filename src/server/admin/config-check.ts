import type { ConfigCheck } from '../../admin/dependencies.ts'
import { type Config, issuedResources } from '../../config/config.ts'
import { describeChanges } from '../../config/diff.ts'
import { decodeConfig, type FilesBeside } from '../../config/load.ts'

/** Whoever may only look must not learn by a text of theirs what this machine has: no file is opened, no variable is told. */
const UNREAD: FilesBeside = {
  value: () => ({ ok: true, text: 'value-of-a-file' }),
  certificates: () => ({ pem: '' }),
}

/** Long enough for whatever a file asks for. */
const SECRET = 'a-stand-in-for-a-secret-of-the-environment'
const SECRETS = ['AUDGATE_SECRET', 'AUDGATE_REGISTRATION_TOKEN', 'AUDGATE_FEED_TOKEN'] as const

/** Checks a text as the file in force would be; puts nothing in force. Values of the environment and of files are stood in for. */
export function checkConfig(text: string, inForce: Config): ConfigCheck {
  const result = decodeConfig(text, inForce.file, environmentFor(text), UNREAD)
  if (!result.ok) {
    const problems = result.problems.map(({ line, column, message }) => ({ line, column, message }))
    return { problems, changes: [], resources: undefined }
  }
  return { problems: [], changes: describeChanges(inForce, result.config), resources: issuedResources(result.config) }
}

/** A name that the text uses stands for itself. */
function environmentFor(text: string): Readonly<Record<string, string>> {
  const names = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name = '']) => name)
  return {
    ...Object.fromEntries(names.map((name) => [name, `value-of-${name.toLowerCase()}`])),
    ...Object.fromEntries(SECRETS.map((name) => [name, SECRET])),
  }
}
