import type * as Sqlite from 'node:sqlite'

/**
 * `node:sqlite` without the notice about its stability that Node releases before 24.15 print when it is first loaded.
 * Only that one notice is held back, and only for the length of this synchronous call.
 */
export function loadSqlite(): typeof Sqlite {
  const emitWarning = process.emitWarning
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }) as typeof process.emitWarning
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
