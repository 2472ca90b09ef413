export interface Row {
  readonly scenario: string
  readonly name: string
  readonly unit: string
  readonly value: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** One line a contestant and scenario, with its ratio to nginx and to HAProxy where they took part. */
export function printTable(rows: readonly Row[]): void {
  const lines = [['scenario', 'program', 'figure', 'unit', '× nginx', '× HAProxy']]
  for (const row of rows) {
    lines.push([
      row.scenario,
      row.name,
      row.value.toFixed(1),
      row.unit,
      ratio(rows, row, 'nginx'),
      ratio(rows, row, 'HAProxy'),
    ])
  }
  // Where nobody took part that others are compared with, there is nothing to say of it.
  const shown = lines[0]?.map((_, column) => lines.slice(1).some((line) => line[column] !== '')) ?? []
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  for (const line of lines) {
    process.stdout.write(
      `${line
        .map((cell, column) => (shown[column] ? cell.padEnd(widths[column] ?? 0) : ''))
        .join('  ')
        .trimEnd()}\n`,
    )
  }
}

function ratio(rows: readonly Row[], row: Row, against: string): string {
  const other = rows.find(
    (candidate) =>
      candidate.scenario === row.scenario && candidate.unit === row.unit && candidate.name.startsWith(against),
  )
  return other === undefined || other.value === 0 ? '' : (row.value / other.value).toFixed(2)
}
