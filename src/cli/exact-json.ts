import { encodeJson } from '../http/json.ts'
import { type Result, refuse } from '../kernel/refusal.ts'

/** Reads JSON and keeps whole numbers that a float does not hold exactly, as bigint. `source` names the text in the refusal. */
export function parseExactJson(text: string, source: string): Result<{ value: unknown }> {
  try {
    return { value: JSON.parse(text, exactNumber) }
  } catch (error) {
    return refuse('invalid', `${source} did not answer with JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What `parseExactJson` read: on one line, or indented by four spaces; both end with a newline. */
export function exactJsonText(value: unknown, { indented }: { indented: boolean }): string {
  return indented ? encodeJson(value, true) : `${encodeJson(value, false)}\n`
}

function exactNumber(_key: string, value: unknown, context: { source?: string } = {}): unknown {
  const source = context.source ?? ''
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value
}
