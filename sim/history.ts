/**
 * What clients asked for and what they were told, for one thing that can be read and written. `expected` is what a
 * conditional write wants to find: `null` is nothing.
 */
export type Operation = {
  client: string
  do: 'put' | 'delete' | 'get'
  value: string | null
  expected?: string | null
  invokedMs: number
  /** Infinity while nobody knows: it may have happened at any time since, or never. */
  answeredMs: number
  /** Writes: whether it was applied. Reads: what was found. */
  outcome?: boolean | string | null
}

export class History {
  readonly operations = new Map<string, Operation[]>()

  begin(key: string, operation: Omit<Operation, 'answeredMs'>): Operation {
    const begun: Operation = { ...operation, answeredMs: Number.POSITIVE_INFINITY }
    const known = this.operations.get(key)
    if (known) known.push(begun)
    else this.operations.set(key, [begun])
    return begun
  }

  /** It was refused in a way that says it did not happen. */
  forget(key: string, operation: Operation): void {
    const known = this.operations.get(key)
    if (known) known.splice(known.indexOf(operation), 1)
  }
}

/** `c1: put v7 if "v3" -> true (10.0 to 12.5 ms)` */
export function operationText({ client, do: what, value, expected, outcome, invokedMs, answeredMs }: Operation): string {
  const condition = expected === undefined ? '' : ` if ${JSON.stringify(expected)}`
  const asked = what === 'put' ? `put ${value}${condition}` : `${what}${condition}`
  const told = answeredMs === Number.POSITIVE_INFINITY ? 'no answer' : JSON.stringify(outcome)
  return `${client}: ${asked} -> ${told} (${invokedMs.toFixed(1)} to ${answeredMs.toFixed(1)} ms)`
}
