import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { assembleConfig } from './assemble/assemble.ts'
import { type Authorities, certificatesIn, readAuthorities } from './authorities.ts'
import { checkIssuers, createChecking, present } from './check/check.ts'
import { checkCredentials } from './check/check-credentials.ts'
import { checkLoops } from './check/check-loops.ts'
import { checkProviders } from './check/check-providers.ts'
import { checkResources } from './check/check-resources.ts'
import { checkRoutes } from './check/check-routes.ts'
import { checkWarnings } from './check/check-warnings.ts'
import { checkSecrets, readSecrets } from './check/secrets.ts'
import type { ConfigResult } from './config.ts'
import { readDraft, sealDraft } from './draft.ts'
import { type Environment, readValueFile } from './interpolation.ts'
import { readYaml } from './read-yaml.ts'
import { FILE } from './schema/file-schema.ts'

/** Where a value may come from the environment, an editor must take the reference for it. */
const REFERENCE = { type: 'string', pattern: '\\$\\{' } as const

/** JSON Schema 2020-12 of routes.yaml as it is written, for editors. Does NOT hold what needs several keys; `check` does. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  return z.toJSONSchema(FILE, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: schema }) => {
      const { type } = zodSchema._zod.def
      if (type !== 'boolean' && type !== 'number' && type !== 'enum') return
      const { description, ...plain } = schema
      for (const key of Object.keys(plain)) delete schema[key]
      schema.anyOf = [plain, REFERENCE]
    },
  })
}

// By code: what the system says of itself is no help to someone who looks at a file.
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; name the right one, or write it',
  EACCES: 'may not be read; check its permissions',
  EISDIR: 'is a folder; name the file in it',
}

/** How files are read that a routes.yaml names. */
export interface FilesBeside {
  /** Of `${file:PATH}`. */
  readonly value: typeof readValueFile
  /** Of `upstream_tls.ca` and `connect.ca`. */
  readonly certificates: typeof certificatesIn
}

const BESIDE: FilesBeside = { value: readValueFile, certificates: certificatesIn }

/** Reads and checks `file`. What can't be read at all is a problem at 1:1. Never throws. */
export function loadConfig(file: string, env: Environment): ConfigResult {
  const text = readText(file)
  return 'fault' in text ? unreadable(file, text.fault) : decodeConfig(text.text, file, env)
}

/**
 * Checks the text of a routes.yaml: the frozen {@link Config}, or every problem in order of lines. Never throws. Reads the certificates of
 * `upstream_tls.ca` and `connect.ca`, and files of `${file:PATH}` and `NAME_FILE`. Does NOT look whether other files, and hosts, that it names exist.
 * @param file Stands in the problems; its folder is what paths are relative to. @param beside reads the files that it names.
 */
export function decodeConfig(text: string, file: string, env: Environment, beside: FilesBeside = BESIDE): ConfigResult {
  const { root, problems, files } = readYaml(text, file, env, beside.value)
  const secrets = readSecrets(env)
  const draft = root === undefined ? undefined : readDraft(FILE, root, problems)
  let authorities: Authorities = new Map()
  let routeLines: readonly number[] = []
  if (root !== undefined && draft !== undefined) {
    const checking = createChecking(draft, root, problems)
    checkIssuers(checking)
    checkProviders(checking)
    checkResources(checking)
    checkRoutes(checking)
    authorities = readAuthorities(checking, file, beside.certificates)
    checkLoops(checking, file)
    checkCredentials(checking)
    checkWarnings(checking)
    checkSecrets(checking, secrets)
    routeLines = present(draft.routes).map(([index]) => checking.line(['routes', index]))
  }
  if (draft === undefined || problems.count > 0) return { ok: false, problems: problems.list() }
  const places = { file, files, routeLines, warnings: problems.warnings() }
  const surroundings = { ...places, authorities, secrets: secrets.secrets }
  return { ok: true, config: assembleConfig(sealDraft<typeof FILE>(draft), surroundings) }
}

function readText(file: string): { readonly text: string } | { readonly fault: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { fault: 'is not UTF-8 text' }
    return { fault: UNREADABLE[code] ?? `can't be read (${code})` }
  }
}

function unreadable(file: string, fault: string): ConfigResult {
  return { ok: false, problems: [{ file, line: 1, column: 1, message: fault }] }
}
