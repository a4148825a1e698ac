const ESCAPED: Record<string, string> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' }

/**
 * JSON as Consul prints it: `<`, `>` and `&` escaped; compact, or indented by four spaces and ended by a newline. A bigint is
 * printed as a number of any size.
 */
export function encodeJson(value: unknown, pretty: boolean): string {
  const text = stringified(value, pretty ? 4 : undefined) ?? 'null'
  const escaped = /[<>&\u2028\u2029]/.test(text) ? text.replace(/[<>&\u2028\u2029]/g, (character) => ESCAPED[character] ?? character) : text
  return pretty ? `${escaped}\n` : escaped
}

/** A replacer costs half of the time, and few values hold a bigint: without one first. */
function stringified(value: unknown, indent: number | undefined): string | undefined {
  try {
    return JSON.stringify(value, undefined, indent)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return JSON.stringify(value, plainNumber, indent)
  }
}

function plainNumber(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJson(value.toString()) : value
}

/** The source text access proposal (ES2026), in V8 since Node 22; its types are not in the library yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(text: string): unknown }
