import { claimAt } from '../../../core/claim-path.ts'
import type { ProviderGroups } from '../../../core/identity-provider.ts'
import { groupsProblem } from '../../people/people.ts'
import type { Claims } from './relying-party.ts'

const MOST_SENT = 1_000
const LONGEST_SENT = 256
/** As administrators are called unless the file names them. */
const RESERVED = 'admins'

/** A provider's word on somebody's groups. */
export type GroupsWord =
  | {
      readonly kind: 'said'
      /** As it names them. */
      readonly sent: readonly string[]
      /** Ours. */
      readonly groups: readonly string[]
      readonly place: 'id_token' | 'userinfo'
    }
  /** The claim stands in no place where it is looked for. */
  | { readonly kind: 'absent' }
  /** The places where it stood last did not come this time. */
  | { readonly kind: 'unsaid' }
  /** More than can be taken in: never a part of it. */
  | { readonly kind: 'overage'; readonly detail: string }
  /** Something that is no list of names. */
  | { readonly kind: 'unreadable'; readonly detail: string }

/** What came: undefined where nothing did. */
interface Places {
  readonly idToken: Claims | undefined
  readonly userinfo: Claims | undefined
}

/** Reads the groups of what came. @param before Where they stood last; undefined: nowhere, or this is the first word. */
export function readGroups(
  rules: ProviderGroups,
  { idToken, userinfo }: Places,
  before: 'id_token' | 'userinfo' | undefined,
): GroupsWord {
  const places = [
    { place: 'userinfo', claims: userinfo, looked: rules.from !== 'id_token' || idToken === undefined },
    { place: 'id_token', claims: idToken, looked: rules.from !== 'userinfo' },
  ] as const
  const came = places.filter(({ claims, looked }) => looked && claims !== undefined)
  for (const { place, claims } of came) {
    if (claims === undefined) continue
    if (isOverage(claims, rules))
      return { kind: 'overage', detail: 'it only says where more groups could be asked for' }
    const value = rules.claims.map((claim) => claimAt(claims, claim)).find((each) => (each ?? undefined) !== undefined)
    if (value !== undefined) return readValue(rules, value, place)
  }
  if (came.length === 0) return { kind: 'unsaid' }
  const stands = before === undefined || came.some(({ place }) => place === before)
  return stands ? { kind: 'absent' } : { kind: 'unsaid' }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readValue(rules: ProviderGroups, value: unknown, place: 'id_token' | 'userinfo'): GroupsWord {
  const sent = namesIn(rules.form, value)
  if (sent === undefined) return { kind: 'unreadable', detail: `its claim is not of the form ${rules.form}` }
  if (sent.length > MOST_SENT) return { kind: 'overage', detail: `${sent.length} groups; ${MOST_SENT} are read` }
  if (sent.some((name) => name.length > LONGEST_SENT))
    return { kind: 'overage', detail: 'the name of a group is too long' }
  const groups = ourGroups(rules, sent)
  const problem = groupsProblem(groups)
  return problem === undefined ? { kind: 'said', sent, groups, place } : { kind: 'overage', detail: problem }
}

function namesIn(form: ProviderGroups['form'], value: unknown): readonly string[] | undefined {
  if (form === 'keys') return keysIn(value)
  if (typeof value === 'string') return form === 'words' ? value.split(/\s+/).filter((word) => word !== '') : [value]
  const strings = Array.isArray(value) && value.every((each): each is string => typeof each === 'string')
  return strings ? value : undefined
}

/** Zitadel sends an object, or a list of them. */
function keysIn(value: unknown): readonly string[] | undefined {
  const objects: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!objects.every(isObject)) return undefined
  return [...new Set(objects.flatMap((each) => Object.keys(each)))]
}

/** Its names as ours: mapped, then those that are to be taken, then with the prefix. */
function ourGroups({ map, take, prefix, reserved }: ProviderGroups, sent: readonly string[]): readonly string[] {
  const taken = sent.flatMap((name) => {
    const mapped = map.get(name)
    const ours = mapped ?? name
    const wanted =
      typeof take === 'string' ? take === 'all' || mapped !== undefined : take.includes(name) || take.includes(ours)
    const group = `${prefix}${ours}`
    // By a name that the file maps to it, whole; never by one that a provider sends, nor by what a prefix makes of it.
    const aloud = mapped === group || (group !== RESERVED && !reserved.includes(group))
    return wanted && aloud ? [group] : []
  })
  return [...new Set(taken)]
}

/** Entra names more than 200 groups by a link instead (`_claim_names`), or by `hasgroups`. */
function isOverage(claims: Claims, { claims: names }: ProviderGroups): boolean {
  const elsewhere = claims._claim_names
  const linked = isObject(elsewhere) && [...names, 'groups'].some((name) => Object.hasOwn(elsewhere, name))
  return linked || claims.hasgroups === true || claims.hasgroups === 'true'
}
