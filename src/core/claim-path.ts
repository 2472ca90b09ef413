type Claims = Readonly<Record<string, unknown>>

/** Members of a path, so that a claim's name may hold dots itself and yet be found in few steps. */
const MAX_PATH_MEMBERS = 8

/**
 * The value of the claim `path`, or at a path through objects with dots between the members' names: `realm_access.roles`. A name with dots
 * of its own is found first; inherited names such as `constructor` are no members. Its type is NOT looked at.
 */
export function claimAt(claims: Claims, path: string): unknown {
  return memberAt(claims, path, MAX_PATH_MEMBERS)
}

function memberAt(object: Claims, path: string, members: number): unknown {
  const whole = member(object, path)
  if (whole !== undefined || members === 1) return whole
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const child = member(object, path.slice(0, dot))
    const found = isObject(child) ? memberAt(child, path.slice(dot + 1), members - 1) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function member(object: Claims, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function isObject(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
