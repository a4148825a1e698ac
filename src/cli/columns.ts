/** Rows as text: every column as wide as its widest cell, two spaces apart, nothing after the last cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, place) => {
      widths[place] = Math.max(widths[place] ?? 0, cell.length)
    })
  }
  return rows
    .map((row) => row.map((cell, place) => (place === row.length - 1 ? cell : cell.padEnd((widths[place] ?? 0) + 2))).join(''))
    .join('\n')
}

/** Go's order of strings: by their UTF-8 bytes. */
export function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
