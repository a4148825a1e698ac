import { realClock, realRandom } from '../net/clock.ts'
import { defineActor } from '../src/kernel/actor.ts'
import { Host } from '../src/kernel/host.ts'
import type { AnyActor } from '../src/kernel/instance.ts'
import { type Call, refOf } from '../src/kernel/protocol.ts'
import type { View } from '../src/kernel/tables.ts'

export type EchoProtocol = { echo: Call<{ key: string; value: number }, { value: number }> }
export const echoRef = refOf<EchoProtocol>('echo')

const echo = defineActor<EchoProtocol, object, null, null>({
  name: 'echo',
  mailboxMax: 65_536,
  init: () => null,
  on: { echo: (_state, { value }) => ({ value: value + 1 }) },
})
const NO_TABLES: View = { get: () => undefined, range: () => [] }

/** A host without tables and devices, whose only actor lives on thread 1. */
export function benchHost(thread: number): Host {
  return new Host({
    node: 'bench',
    thread,
    ports: { clock: realClock, random: () => realRandom, tables: { view: () => NO_TABLES }, devices: {}, print: () => undefined },
    actors: [echo as unknown as AnyActor],
    place: () => 1,
    soon: setImmediate,
    fatal: (why) => {
      throw new Error(why)
    },
  })
}
