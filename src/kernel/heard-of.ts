/** Ids that something was heard of by, the oldest first: no more than so many are remembered. */
export type HeardOf = Set<string>

/** Remembers an id. Answers whether it was not known. */
export function isFirst(heardOf: HeardOf, id: string, max: number): boolean {
  if (heardOf.has(id)) return false
  heardOf.add(id)
  if (heardOf.size > max) heardOf.delete(heardOf.values().next().value as string)
  return true
}
