/** A condition and the values of its placeholders. */
export interface Where {
  readonly sql: string
  readonly values: readonly string[]
}

/** ANDs `column = value` for each value that is given; `true` for none, so callers that must not match all check first. */
export function whereAll(columns: Readonly<Record<string, string | undefined>>): Where {
  const given = Object.entries(columns).filter((entry): entry is [string, string] => entry[1] !== undefined)
  if (given.length === 0) return { sql: 'true', values: [] }
  return { sql: given.map(([column]) => `${column} = ?`).join(' AND '), values: given.map(([, value]) => value) }
}
