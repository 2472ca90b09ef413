import type { IdentityProvider, PresetName, ProviderGroups } from '../../core/identity-provider.ts'
import type { Authorities } from '../authorities.ts'
import type { Complete } from '../draft.ts'
import { choosePreset, PRESETS } from '../schema/provider-presets.ts'
import type { PROVIDER } from '../schema/provider-schema.ts'

type CheckedProvider = Complete<typeof PROVIDER>

interface ProviderSurroundings {
  /** Makes a path of the file absolute. */
  readonly beside: (path: string) => string
  /** Their groups. */
  readonly administrators: readonly string[]
  readonly authorities: Authorities
}

/** What the file says of a provider, filled up by its preset. */
export function assembleProvider(checked: CheckedProvider, surroundings: ProviderSurroundings): IdentityProvider {
  const { administrators } = surroundings
  const { preset, reason } = choosePreset(checked.issuer, checked.preset)
  const row = PRESETS[preset]
  return {
    id: checked.id ?? preset,
    name: checked.name ?? row.label,
    issuer: checked.issuer,
    preset,
    presetReason: reason,
    clientId: checked.client_id,
    clientSecret: checked.client_secret,
    discovery: checked.discovery,
    clientAuth: checked.client_auth ?? row.clientAuth ?? 'auto',
    scopes: [...new Set(['openid', ...(checked.scopes ?? row.scopes)])],
    listedScopesOnly: checked.scopes === undefined && row.listedScopesOnly === true,
    parameters: row.parameters ?? {},
    groups: assembleGroups(checked.groups, preset, administrators),
    username: { claim: checked.username.claim ?? row.username, suffix: checked.username.suffix ?? row.suffix ?? '' },
    person: checked.person ?? row.person ?? 'sub',
    email: checked.email,
    accounts: checked.accounts,
    allow: {
      groups: checked.allow.groups,
      emailDomains: checked.allow.email_domains,
      tenants: checked.allow.tenants,
      hostedDomains: checked.allow.hosted_domains,
    },
    recheckSeconds: checked.recheck,
    onUnreachableSeconds: checked.on_unreachable,
    withoutRecheckSeconds: checked.without_recheck,
    signOut: checked.sign_out,
    address: checked.connect.address,
    ca: checked.connect.ca === undefined ? undefined : caOf(checked.connect.ca, surroundings),
  }
}

function caOf(name: string, { beside, authorities }: ProviderSurroundings): NonNullable<IdentityProvider['ca']> {
  return { file: beside(name), pem: authorities.get(name) }
}

function assembleGroups(
  checked: CheckedProvider['groups'],
  preset: PresetName,
  reserved: readonly string[],
): ProviderGroups | undefined {
  const row = PRESETS[preset].groups
  const { claim, map = new Map<string, string>() } = checked
  if (claim === false || (claim === undefined && row === undefined)) return undefined
  return {
    claims: claim === undefined ? (row?.claims ?? []) : [claim],
    from: checked.from ?? row?.from ?? 'both',
    form: checked.form ?? (claim === undefined ? row?.form : undefined) ?? 'list',
    take: checked.take ?? (checked.map === undefined ? 'all' : 'mapped'),
    map,
    prefix: checked.prefix,
    reserved,
  }
}
