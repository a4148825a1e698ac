import type { Row, Unit } from './benchmark.ts'

/** A row that could not be measured has the reason in place of figures. */
export type Line = Row | { name: string; skipped: string }

const MORE_IS_BETTER: readonly Unit[] = ['/s', 'GB/s', 'virtual s/s']

/** The table as text. A ratio above 1 says that ours is better, whichever way the unit counts. */
export function tableOf(lines: readonly Line[]): string {
  const rows = [
    ['', 'ours', 'Consul', 'ratio', ''],
    ...lines.map((line) => {
      if ('skipped' in line) return [line.name, 'skipped', '', '', line.skipped]
      const { name, ours, unit, consul, note = '' } = line
      return [name, shown(ours, unit), consul === undefined ? '' : shown(consul, unit), consul === undefined ? '' : ratioOf(line), note]
    }),
  ]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function ratioOf({ ours, consul = Number.NaN, unit }: Row): string {
  return (MORE_IS_BETTER.includes(unit) ? ours / consul : consul / ours).toFixed(2)
}

/** Three digits, and a thousand as `k`. */
function shown(value: number, unit: Unit): string {
  const digits = (number: number) => (number >= 100 ? number.toFixed(0) : number.toPrecision(number >= 10 ? 3 : 2))
  return unit === '/s' && value >= 1_000 ? `${digits(value / 1_000)} k/s` : `${digits(value)} ${unit}`.replace(' /s', '/s')
}
