/** What whoever wrote something should know of it, one warning a header. Clients of Consul do not look at them. */
export function warningHeaders(warnings: readonly string[]): { headers?: { [WARNING_HEADER]: string[] } } {
  return warnings.length === 0 ? {} : { headers: { [WARNING_HEADER]: warnings.map(printable) } }
}

const WARNING_HEADER = 'X-Tribune-Warning'

/** Headers are ASCII: other characters are written as JavaScript escapes. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
