import { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { configOption, fail, jsonOption, printJson, printLine, printWarning, problemLine } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

/** `audgate check`: every problem of a routes.yaml, or what it warns of and one line that says what it holds. */
export function command(): Command {
  return new Command('check')
    .description('read routes.yaml and print every problem as FILE:LINE:COL: message')
    .argument('[routes.yaml]', 'the file; default is that of --config')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(check)
}

function check(named: string | undefined, options: Options): void {
  const file = named ?? options.config
  const result = loadConfig(file, process.env)
  if (options.json === true) {
    const providers = result.ok ? providersOf(result.config) : []
    const presets = providers.map(({ id, preset, presetReason: reason }) => ({ id, preset, reason }))
    const problems = result.ok ? [] : result.problems
    const warnings = result.ok ? result.config.warnings : []
    printJson({ file, ok: result.ok, problems, warnings, ...(presets.length === 0 ? {} : { providers: presets }) })
    if (!result.ok) process.exitCode = 2
    return
  }
  if (!result.ok) fail(result.problems.map(problemLine).join('\n'), 2)
  for (const warning of result.config.warnings) printWarning(warning)
  printLine(`${file}: good; ${summary(result.config)}`)
  for (const { id, issuer, preset, presetReason } of providersOf(result.config)) {
    printLine(`provider ${id} (${issuer}): preset ${preset}, because ${presetReason}`)
  }
}

function providersOf({ issuer }: Config) {
  return issuer.kind === 'embedded' ? issuer.providers : []
}

function summary(config: Config): string {
  return [
    counted(config.routes.length, 'route'),
    counted(config.resources.length, 'resource'),
    issuerSummary(config),
    `${counted(config.trustedIssuers.length, 'trusted issuer')}`,
  ].join(', ')
}

function issuerSummary({ issuer, publicUrl }: Config): string {
  switch (issuer.kind) {
    case 'embedded':
      return `issuer ${publicUrl}`
    case 'upstream':
      return `issuer ${publicUrl} at ${issuer.upstreams.join(' or ')}`
    case 'off':
      return 'no issuer'
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
