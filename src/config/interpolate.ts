/** What the environment gave for a text; `missing` names variables that are neither set nor have a default. */
export type Interpolated =
  | { readonly kind: 'plain' }
  | { readonly kind: 'filled'; readonly text: string }
  | { readonly kind: 'missing'; readonly names: readonly string[] }
  | { readonly kind: 'broken' }

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g

/**
 * Fills in `${NAME}` and `${NAME:-default}`; the default is for names that are unset or empty, as in a shell. `$${` is a plain
 * `${`. What was filled in is not read again. `broken`: a `${` without a name or its `}`.
 */
export function interpolate(text: string, env: Readonly<Record<string, string | undefined>>): Interpolated {
  if (!text.includes('${')) return { kind: 'plain' }
  const missing: string[] = []
  let broken = false
  const filled = text.replace(REFERENCE, (whole: string, name?: string, fallback?: string) => {
    if (whole === '$${') return '${'
    if (name === undefined) broken = true
    const value = name === undefined || !Object.hasOwn(env, name) ? undefined : env[name]
    if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
    if (value === undefined && name !== undefined) missing.push(name)
    return value ?? ''
  })
  if (broken) return { kind: 'broken' }
  return missing.length > 0 ? { kind: 'missing', names: missing } : { kind: 'filled', text: filled }
}
