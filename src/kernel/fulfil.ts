import type { Instance } from './instance.ts'
import type { Device, Ports } from './ports.ts'
import type { Waiters } from './recording-view.ts'
import { assert } from './refusal.ts'
import type { OwnMessage, Wish } from './wishes.ts'

/** Wishes that concern nobody but the actor itself and the ports of its thread. */
export type OwnWish = Extract<Wish, { did: 'wake' | 'unwake' | 'timer' | 'cancel' | 'act' | 'again' | 'print' | 'count' | 'measure' }>

export type Surroundings = {
  ports: Ports
  waiters: Waiters
  /** Puts a message into the actor's mailbox. */
  tell(instance: Instance, message: OwnMessage): void
  /** Makes what happens later a message to the actor, if it is still in the same life. */
  later<T>(instance: Instance, then: (value: T) => OwnMessage): (value: T) => void
  count(metric: string, by: number): void
  measure(metric: string, value: number): void
}

export function fulfilOwn(instance: Instance, wish: OwnWish, { ports, waiters, tell, later, count, measure }: Surroundings): void {
  switch (wish.did) {
    case 'wake': {
      forget(instance.wakes, wish.name)
      const cancel = waiters.add(wish.reads, () => {
        instance.wakes.delete(wish.name)
        tell(instance, wish.message)
      })
      instance.wakes.set(wish.name, cancel)
      return
    }
    case 'unwake':
      return forget(instance.wakes, wish.name)
    case 'timer': {
      forget(instance.timers, wish.name)
      const cancel = ports.clock.after(wish.afterMs, () => {
        instance.timers.delete(wish.name)
        tell(instance, wish.message)
      })
      instance.timers.set(wish.name, cancel)
      return
    }
    case 'cancel':
      return forget(instance.timers, wish.name)
    case 'act': {
      const device = ports.devices[wish.device] as Device<unknown, unknown, unknown> | undefined
      assert(device, `the device "${wish.device}" is on the thread of ${instance.address}`)
      const { then, on } = wish
      device.perform(wish.request, then ? later(instance, then) : ignore, on ? later(instance, on) : ignore)
      return
    }
    case 'again':
      return tell(instance, wish.message)
    case 'print':
      return ports.print(wish.level, instance.address, wish.line, wish.facts)
    case 'count':
      return count(wish.metric, wish.by)
    case 'measure':
      return measure(wish.metric, wish.value)
  }
}

function forget(pending: Map<string, () => void>, name: string): void {
  pending.get(name)?.()
  pending.delete(name)
}

function ignore(): void {
  // The actor did not ask to be told.
}
