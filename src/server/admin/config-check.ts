import type { ConfigCheck } from '../../admin/dependencies.ts'
import { type Config, issuedResources } from '../../config/config.ts'
import { describeChanges } from '../../config/diff.ts'
import { decodeConfig } from '../../config/load.ts'

/** Checks a text as the file in force would be; puts nothing in force. Values of the environment are stood in for: what they are is not told. */
export function checkConfig(text: string, inForce: Config): ConfigCheck {
  const result = decodeConfig(text, inForce.file, environmentFor(text))
  if (!result.ok) {
    const problems = result.problems.map(({ line, column, message }) => ({ line, column, message }))
    return { problems, changes: [], resources: undefined }
  }
  return { problems: [], changes: describeChanges(inForce, result.config), resources: issuedResources(result.config) }
}

/** A name that the text uses stands for itself. */
function environmentFor(text: string): Readonly<Record<string, string>> {
  const names = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name = '']) => name)
  return Object.fromEntries(names.map((name) => [name, `value-of-${name.toLowerCase()}`]))
}
