/** An event that somebody fired. `answeredMs` is Infinity while nobody knows whether it was; `id` is '' then. */
export type Fired = {
  id: string
  name: string
  /** A text that no other event has. */
  payload: string
  /** The agent it was fired on, and whether its filters let it concern that agent. */
  node: string
  concerns: boolean
  invokedMs: number
  answeredMs: number
}
/** What an agent's list showed: of one name, or with '' of all, the oldest first. */
export type Listed = {
  node: string
  name: string
  invokedMs: number
  answeredMs: number
  events: readonly { id: string; name: string; payload: string; time: number }[]
}

/** What agents keep at most. */
export const KEPT_MAX = 256

/**
 * What is wrong with a list, given everything that was fired and when the agent began anew (it keeps nothing over that): each event
 * in it was fired as it is shown and once, those that came one after the other are in their order, and none is missing that was there
 * before somebody asked, unless enough newer ones took its place.
 */
export function listFault(listed: Listed, fired: readonly Fired[], beganMs: readonly number[]): string | undefined {
  const { node, name, invokedMs, answeredMs, events } = listed
  const where = `the list of ${node === '' ? 'an agent' : node} at ${answeredMs.toFixed(0)} ms`
  if (events.length > KEPT_MAX) return `${where} has ${events.length} events`
  const byPayload = new Map(fired.filter((one) => one.node === node).map((one) => [one.payload, one]))
  const shown: Fired[] = []
  for (const event of events) {
    const one = byPayload.get(event.payload)
    if (!one || one.name !== event.name || (one.id !== '' && one.id !== event.id))
      return `${where} has ${text(event)}, which nobody fired so`
    if (name !== '' && event.name !== name) return `${where} has ${text(event)}, although only ${name} was asked for`
    if (!one.concerns) return `${where} has ${text(event)}, which is not for this agent`
    if (shown.includes(one)) return `${where} has ${text(event)} twice`
    shown.push(one)
  }
  const unordered = events.find((event, at) => at > 0 && event.time <= (events[at - 1]?.time ?? 0))
  if (unordered) return `${where} has ${text(unordered)} after an event of the same or a later time`
  for (const [at, one] of shown.entries()) {
    const later = shown.slice(0, at).find((before) => before.invokedMs > one.answeredMs)
    if (later) return `${where} has ${later.payload} before ${one.payload}, which was fired first`
  }
  const began = Math.max(0, ...beganMs.filter((atMs) => atMs <= answeredMs))
  const due = fired.filter((one) => one.node === node && one.concerns && one.answeredMs < invokedMs && one.invokedMs > began)
  const missing = due.find((one) => (name === '' || one.name === name) && !shown.includes(one))
  if (!missing) return undefined
  const newer = fired.filter(
    (one) => one.node === node && one.concerns && one.invokedMs <= answeredMs && one.answeredMs >= missing.invokedMs,
  )
  return newer.length >= KEPT_MAX ? undefined : `${where} lacks ${missing.payload}, which was fired at ${missing.answeredMs.toFixed(0)} ms`
}

function text({ name, payload }: { name: string; payload: string }): string {
  return `${name} ${payload}`
}
