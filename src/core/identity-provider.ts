/** Names of the presets: what a provider of a kind is known to need. */
export type PresetName =
  | 'authentik'
  | 'keycloak'
  | 'zitadel'
  | 'authelia'
  | 'pocket-id'
  | 'entra'
  | 'google'
  | 'gitlab'
  | 'okta'
  | 'auth0'
  | 'kanidm'
  | 'generic'

/** Where a provider says which groups somebody is in, and which of them count here. */
export interface ProviderGroups {
  /** Claims in the order in which they are looked for: a member's name, else a path of names with dots. */
  readonly claims: readonly string[]
  /** Where they stand; with `both` userinfo wins when it has the claim. */
  readonly from: 'id_token' | 'userinfo' | 'both'
  /** A list of names · an object whose keys are the names · one text of words. */
  readonly form: 'list' | 'keys' | 'words'
  /** Which names count: all, those that `map` names, or these, as sent or as mapped. */
  readonly take: 'all' | 'mapped' | readonly string[]
  /** The provider's name → ours. */
  readonly map: ReadonlyMap<string, string>
  /** Put before every name that is taken. */
  readonly prefix: string
  /** Administrators' groups of the file, which are given to nobody but by `map`; `admins` is one wherever they are called. */
  readonly reserved: readonly string[]
}

/** Who of a provider's people may sign in. A list that is empty asks nothing; the others must all be met. */
interface ProviderAllow {
  /** Groups as the provider names them; one of them. */
  readonly groups: readonly string[]
  /** Lower case; of an address that counts as verified. */
  readonly emailDomains: readonly string[]
  /** `tid` of Entra. */
  readonly tenants: readonly string[]
  /** `hd` of Google. */
  readonly hostedDomains: readonly string[]
}

/** What routes.yaml says of an OpenID provider that people sign in at, with everything that its preset adds. Times in seconds. */
export interface IdentityProvider {
  /** In paths, in the audit and in tokens. */
  readonly id: string
  /** On the button. */
  readonly name: string
  /** Exactly as written: what its metadata and its tokens must say. */
  readonly issuer: string
  readonly preset: PresetName
  /** Why that preset, in words. */
  readonly presetReason: string
  readonly clientId: string
  readonly clientSecret: string
  /** Where its metadata stands when that isn't `issuer` with the well-known path behind it. */
  readonly discovery: string | undefined
  readonly clientAuth: 'auto' | 'basic' | 'post'
  readonly scopes: readonly string[]
  /** Ask only for those scopes that its metadata lists. */
  readonly listedScopesOnly: boolean
  /** Further parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>
  /** Undefined: says nothing about groups. */
  readonly groups: ProviderGroups | undefined
  readonly username: { readonly claim: string; readonly suffix: string }
  /** The claim that is the person. */
  readonly person: string
  readonly email: 'verified' | 'as_sent' | 'none'
  readonly accounts: 'create' | 'existing'
  readonly allow: ProviderAllow
  readonly recheckSeconds: number
  readonly onUnreachableSeconds: number
  readonly withoutRecheckSeconds: number
  readonly signOut: 'local' | 'provider'
  /** Where connections go instead of where its names lead. An IPv6 `host` has no brackets. */
  readonly address: { readonly host: string; readonly port: number } | undefined
  /** PEM file, its absolute path: only its authorities are believed. `pem` is what stood in it; undefined: nothing that could be used. */
  readonly ca: { readonly file: string; readonly pem: string | undefined } | undefined
}

/** How people sign in by password: as ever · behind a small link · not at all. */
export type PasswordSignIn = 'on' | 'hidden' | 'off'
