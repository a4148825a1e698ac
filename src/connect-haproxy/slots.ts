import type { ConnectInstance } from '../../actors/feeds/protocol.ts'
import type { Slot } from './configuration.ts'

/** So many places are there at least, so that instances can come without a new process. */
const SLOTS_MIN = 8

/**
 * The places of an upstream's instances: one that has a place keeps it, new ones get those that are free. Once there are too few, there
 * are twice as many as are needed, which takes a new process.
 */
export function placed(before: readonly Slot[], instances: readonly ConnectInstance[]): Slot[] {
  const byPlace = new Map(instances.map((instance) => [keyOf(instance), instance]))
  const slots = before.map(({ name, instance }): Slot => {
    const now = instance && byPlace.get(keyOf(instance))
    if (now) byPlace.delete(keyOf(now))
    return { name, instance: now }
  })
  const size = Math.max(SLOTS_MIN, before.length, instances.length > before.length ? instances.length * 2 : 0)
  while (slots.length < size) slots.push({ name: `s${slots.length + 1}`, instance: undefined })
  for (const instance of byPlace.values()) {
    const free = slots.find((slot) => !slot.instance)
    if (free) free.instance = instance
  }
  return slots
}

/** What a runtime command makes of a place in one step or several. */
export function slotCommands(
  backend: string,
  before: Slot | undefined,
  { name, instance }: Slot,
  weight: (of: ConnectInstance) => number,
): string[] {
  const server = `${backend}/${name}`
  const known = before?.instance
  if (!instance) return known ? [`set server ${server} state maint`] : []
  const commands: string[] = []
  const moved = !known || known.address !== instance.address || known.port !== instance.port
  if (moved) commands.push(`set server ${server} addr ${instance.address} port ${instance.port}`)
  if (!known || weight(known) !== weight(instance)) commands.push(`set server ${server} weight ${weight(instance)}`)
  if (!known) commands.push(`set server ${server} state ready`)
  return commands
}

function keyOf({ node, id, address, port }: ConnectInstance): string {
  return JSON.stringify([node, id, address, port])
}
