/** Several problems as one text: `2 errors occurred:\n\t* a\n\t* b\n\n`. Source: the form Consul's users know. */
export function listedErrors(problems: readonly string[]): string {
  return `${problems.length} ${problems.length === 1 ? 'error' : 'errors'} occurred:\n${problems.map((one) => `\t* ${one}\n`).join('')}\n`
}
