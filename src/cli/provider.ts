import { Command } from 'commander'
import type { Config } from '../config/config.ts'
import type { IdentityProvider } from '../core/identity-provider.ts'
import { type Finding, probeProvider } from '../issuer/federation/provider/probe.ts'
import { configOption, fail, jsonOption, printJson, printLine, printTable, readConfigOrExit } from './output.ts'

interface Options {
  readonly config: string
  readonly json?: boolean
}

/** `audgate provider`: the OpenID providers that people sign in at. */
export function command(): Command {
  const provider = new Command('provider').description('OpenID providers that people sign in at')
  provider
    .command('list')
    .description('list the providers of routes.yaml')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(list)
  provider
    .command('test <id>')
    .description('ask a provider what can be asked without a person, and print the addresses to paste there')
    .addOption(configOption())
    .addOption(jsonOption())
    .action(test)
  return provider
}

function list(options: Options): void {
  const { providers } = issuerOf(readConfigOrExit(options.config), options.config)
  const rows = providers.map(({ id, name, preset, issuer }) => ({ id, name, preset, issuer }))
  const cells = rows.map(({ id, name, preset, issuer }) => [id, name, preset, issuer])
  if (options.json === true) printJson(rows)
  else printTable(['ID', 'NAME', 'PRESET', 'ISSUER'], cells)
}

async function test(id: string, options: Options): Promise<void> {
  const config = readConfigOrExit(options.config)
  const { providers } = issuerOf(config, options.config)
  const provider = providers.find((each) => each.id === id)
  if (provider === undefined) {
    const known = providers.map((each) => each.id).join(', ')
    return fail(`no provider ${JSON.stringify(id)}: ${known === '' ? 'the file names none' : `there are ${known}`}`, 1)
  }
  const findings = await probeProvider(provider, `${config.publicOrigin}/oauth/providers/${id}/callback`)
  const urls = urlsFor(config, provider)
  if (options.json === true) printJson({ id, ok: isGood(findings), findings, urls })
  else printFindings(provider, findings, urls)
  if (!isGood(findings)) process.exitCode = 1
}

function printFindings(
  provider: IdentityProvider,
  findings: readonly Finding[],
  urls: Readonly<Record<string, string>>,
): void {
  const { id, issuer, preset, presetReason, address } = provider
  const by = address === undefined ? '' : `, by way of ${address.host} port ${address.port}`
  printLine(`provider ${id} (${issuer}${by}): preset ${preset}, because ${presetReason}`)
  for (const { good, what, detail } of findings) printLine(`${good ? 'good' : 'BAD '}  ${what}: ${detail}`)
  printLine('')
  printLine('Paste these there:')
  for (const [what, url] of Object.entries(urls)) printLine(`  ${what}: ${url}`)
}

function urlsFor({ publicOrigin }: Config, { id, signOut }: IdentityProvider): Readonly<Record<string, string>> {
  const base = `${publicOrigin}/oauth/providers/${id}`
  return {
    'redirect URI': `${base}/callback`,
    'back-channel logout URL': `${base}/logout`,
    'launch URL': `${base}/start`,
    ...(signOut === 'provider' && { 'post-logout redirect URI': `${publicOrigin}/account` }),
  }
}

function isGood(findings: readonly Finding[]): boolean {
  return findings.every(({ good }) => good)
}

function issuerOf({ issuer }: Config, file: string) {
  return issuer.kind === 'embedded'
    ? issuer
    : fail(`${file} has no issuer of its own: providers stand with the issuer`, 2)
}
