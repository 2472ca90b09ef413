import type { PresetName } from '../../core/identity-provider.ts'
import { choosePreset, isOpenToAnyone, PRESETS } from '../schema/provider-presets.ts'
import { MOST_PROVIDERS } from '../schema/provider-schema.ts'
import type { Path } from '../source.ts'
import { type Checking, present, reportDoubles } from './check.ts'

type ProviderDraft = ReturnType<typeof providersOf>[number][1]

/** Checks what the keys of `issuer.providers` mean together, and `issuer.password` beside them. */
export function checkProviders(checking: Checking): void {
  const { issuer } = checking.draft
  if (issuer === undefined || issuer === false || !('providers' in issuer)) return
  const providers = providersOf(checking)
  const place: Path = ['issuer', 'providers']
  const written = issuer.providers?.length ?? 0
  if (written > MOST_PROVIDERS)
    checking.at(place, `\`issuer.providers\` must not have more than ${MOST_PROVIDERS} entries`)
  if (written === 0 && issuer.password !== undefined && issuer.password !== 'on') {
    const path = ['issuer', 'password']
    checking.at(path, `\`password: ${issuer.password}\` needs \`issuer.providers\`: nobody could sign in`)
  }
  const several = providers.filter(([, provider]) => saysGroups(provider)).length > 1
  for (const [index, provider] of providers) {
    checkGroups(checking, [...place, index], provider, several)
    checkAllow(checking, [...place, index], provider)
    warnOfTrust(checking, [...place, index], provider)
  }
  if (issuer.password === 'off' && providers.length === 1) {
    const hint = '`hidden` keeps `/account?password` as the way in'
    checking.warn(['issuer', 'password'], `while the only provider is down nobody can sign in; ${hint}`)
  }
  reportDoubles(
    checking,
    providers.map(([index, provider]) => [[...place, index, 'issuer'], provider] as const),
    (provider) => provider.issuer,
    (line) => `the same issuer stands in line ${line}; write it once`,
  )
  reportDoubles(
    checking,
    providers.map(([index, provider]) => [[...place, index], provider] as const),
    (provider) => provider.id ?? (provider.issuer && choosePreset(provider.issuer, provider.preset).preset),
    (line) => `has the same \`id\` as the provider in line ${line}; give each an \`id\` of its own`,
  )
}

function providersOf({ draft }: Checking) {
  const { issuer } = draft
  return issuer !== undefined && issuer !== false && 'providers' in issuer ? present(issuer.providers) : []
}

function saysGroups({ issuer, preset, groups }: ProviderDraft): boolean {
  if (issuer === undefined || groups?.claim === false) return false
  return groups?.claim !== undefined || PRESETS[choosePreset(issuer, preset).preset].groups !== undefined
}

function checkGroups(checking: Checking, path: Path, provider: ProviderDraft, several: boolean): void {
  const { issuer, groups } = provider
  if (issuer === undefined || groups === undefined) return
  if (!saysGroups(provider)) {
    for (const key of ['from', 'form', 'take', 'map'] as const) {
      if (groups[key] === undefined) continue
      checking.atKey(
        [...path, 'groups', key],
        'this provider says nothing about groups; name `groups.claim`, or remove it',
      )
    }
    return
  }
  const { preset } = choosePreset(issuer, provider.preset)
  if (groups.claim === undefined && PRESETS[preset].groups?.claims.length === 0) {
    const hint = 'name the claim that your action adds, or write `false`'
    checking.at([...path, 'groups'], `\`groups.claim\` is missing: ${preset} has none of its own; ${hint}`)
  }
  if (several && groups.take === undefined && groups.map === undefined) {
    const hint = 'write `all`, `mapped` or a list of names'
    checking.at(
      [...path, 'groups'],
      `\`groups.take\` is missing: several providers name groups, and one name may mean two; ${hint}`,
    )
  }
}

/** What is allowed, and gives a stranger something. */
function warnOfTrust(checking: Checking, path: Path, { email, allow }: ProviderDraft): void {
  if (email === 'as_sent') {
    checking.warn(
      [...path, 'email'],
      'an address that nobody has verified enters tokens: whoever writes it there has it here',
    )
  }
  if (allow?.anyone === true) {
    checking.warn(
      [...path, 'allow', 'anyone'],
      'everybody in the world can make an account here; groups decide what it is good for',
    )
  }
}

const NARROWED_BY: Partial<Record<PresetName, string>> = {
  google: '`hosted_domains` or `email_domains`',
  entra: '`tenants`',
}

function checkAllow(checking: Checking, path: Path, provider: ProviderDraft): void {
  const { issuer, allow } = provider
  if (issuer === undefined || allow === undefined) return
  const { preset } = choosePreset(issuer, provider.preset)
  const lists = [allow.groups, allow.email_domains, allow.tenants, allow.hosted_domains]
  const limited = lists.some((list) => list !== undefined && list.length > 0)
  if (allow.anyone === true && limited) {
    checking.at([...path, 'allow', 'anyone'], '`anyone` and a list beside it say two things; remove one')
  }
  if ((allow.groups?.length ?? 0) > 0 && !saysGroups(provider)) {
    checking.at([...path, 'allow', 'groups'], 'this provider says nothing about groups, so nobody could sign in')
  }
  if (!isOpenToAnyone(preset, issuer) || limited || allow.anyone === true) return
  const kinds = [preset, choosePreset(issuer, undefined).preset]
  const which = kinds.map((kind) => NARROWED_BY[kind]).find((keys) => keys !== undefined) ?? '`groups`'
  checking.at(
    [...path, 'allow'],
    `\`allow\` is missing: anybody can have an account there; name ${which}, or say \`allow: { anyone: true }\``,
  )
}
