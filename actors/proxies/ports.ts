/** The ports that managed proxies have or had. */
export type PortBook = {
  min: number
  max: number
  /** By service id: what it has now, or had when the agent last ran. */
  kept: Map<string, number>
  /** Found in use by somebody else. */
  foreign: Set<number>
}

/** The port a service had, else the lowest that nobody has; undefined if there is none left. The book remembers it. */
export function assignPort(book: PortBook, serviceId: string): number | undefined {
  const { min, max, kept, foreign } = book
  const before = kept.get(serviceId)
  if (before !== undefined && before >= min && before <= max && !foreign.has(before)) return before
  kept.delete(serviceId)
  const taken = new Set([...kept.values(), ...foreign])
  for (let port = Math.max(min, 1); port <= max; port++) {
    if (taken.has(port)) continue
    kept.set(serviceId, port)
    return port
  }
  return undefined
}
