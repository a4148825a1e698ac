import { readHcl } from '../config/hcl.ts'
import { plainValue } from '../config/tree.ts'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'

/** A central setting as it was written, in JSON or HCL. What is wrong with it is for the servers to say. */
export type ConfigInput = { kind: string; name: string; body: object }

export function parseConfigInput(text: string): Result<ConfigInput> {
  const value = parsed(text)
  if (isRefused(value)) return value
  const { body } = value
  const kind = textUnder(body, 'kind')
  if (kind === undefined) return refuse('invalid', 'Payload does not contain a kind/Kind key at the top level')
  return { kind, name: textUnder(body, 'name') ?? '', body }
}

function parsed(text: string): Result<{ body: object }> {
  if (!text.trimStart().startsWith('{')) {
    const tree = readHcl('', text)
    return isRefused(tree) ? tree : { body: plainValue(tree) as object }
  }
  try {
    return { body: JSON.parse(text) as object }
  } catch (error) {
    return refuse('invalid', error instanceof Error ? error.message : String(error))
  }
}

function textUnder(body: object, key: string): string | undefined {
  const found = Object.entries(body).find(([name]) => name.toLowerCase() === key)?.[1]
  return typeof found === 'string' ? found : undefined
}
