import { createGossip } from '../../net/gossip/index.ts'
import { networkOf } from '../../sim/network-of.ts'
import { createSimGossip } from '../../sim/ports/gossip.ts'
import { World } from '../../sim/world.ts'
import type { Device, GossipEvent, GossipOutcome, GossipRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { Lookout } from '../net/mesh/kit.ts'

export const KEYS = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [string, string, string]

/** One agent's end. */
export type End = {
  readonly events: GossipEvent[]
  ask(request: GossipRequest): Promise<Result<GossipOutcome>>
  /** Asks for something that must not be refused. */
  must(request: GossipRequest): Promise<GossipOutcome>
  close(): Promise<void>
}

/** One adapter of the port with its surroundings. */
export type Arm = {
  /** IP address of all ends. */
  readonly host: string
  end(): End
  until<Found>(look: () => Found | undefined | false): Promise<Found>
  /** Does something again and again until there is something. */
  again<Found>(work: () => void, look: () => Found | undefined | false): Promise<Found>
  close(): Promise<void>
}

export const arms: { name: string; make(): Arm }[] = [
  { name: 'libp2p', make: realArm },
  { name: 'simulated', make: simulatedArm },
]

const AGAIN_MS = 50
const ROUND_MS = 10
const ROUNDS_MAX = 6_000

export function realArm(dataDirectory?: string): Arm {
  const lookout = new Lookout()
  const ends: End[] = []
  return {
    host: '127.0.0.1',
    end() {
      const end = endOf(createGossip({ dataDirectory }), lookout.changed)
      ends.push(end)
      return end
    },
    until: (look) => lookout.until(look),
    async again(work, look) {
      const timer = setInterval(work, AGAIN_MS)
      try {
        return await lookout.until(look)
      } finally {
        clearInterval(timer)
      }
    },
    async close() {
      await Promise.all(ends.map((end) => end.close()))
    },
  }
}

/** All ends on one machine of a simulated network, whose time passes while something is waited for. */
function simulatedArm(): Arm {
  const world = new World('gossip')
  const network = networkOf(world)
  const host = '127.0.0.1'
  network.addNode('machine', '10.0.0.1')
  network.start('machine')
  const ends: End[] = []
  /** In real time a little passes between two looks, so that promises of the test go on. */
  const passed = async <Found>(look: () => Found | undefined | false, work: () => void = () => undefined): Promise<Found> => {
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
      const found = look()
      if (found !== undefined && found !== false) return found
      work()
      world.runUntil(world.nowMs + ROUND_MS)
      await Promise.resolve()
    }
    throw new Error('it did not happen')
  }
  return {
    host,
    end() {
      const peer = `peer-${ends.length + 1}`
      const later = (ms: number, work: () => void) => world.after(ms, work)
      const device = createSimGossip({ network, node: 'machine', peer, later, messages: 'packed' })
      const close = () => Promise.resolve(device.close())
      const end = endOf({ perform: device.perform, close }, () => undefined)
      const ask: End['ask'] = async (request) => {
        let outcome: Result<GossipOutcome> | undefined
        void end.ask(request).then((found) => {
          outcome = found
        })
        return passed(() => outcome)
      }
      const simulated: End = { ...end, ask, must: async (request) => unrefused(request, await ask(request)) }
      ends.push(simulated)
      return simulated
    },
    until: (look) => passed(look),
    again: (work, look) => passed(look, work),
    close: () => Promise.all(ends.map((end) => end.close())).then(() => undefined),
  }
}

function unrefused({ do: what }: GossipRequest, outcome: Result<GossipOutcome>): GossipOutcome {
  if (isRefused(outcome)) throw new Error(`${what}: ${outcome.why}`)
  return outcome
}

function endOf(device: Device<GossipRequest, GossipOutcome, GossipEvent> & { close(): Promise<void> }, changed: () => void): End {
  const events: GossipEvent[] = []
  const ask: End['ask'] = (request) =>
    new Promise((resolve) => {
      device.perform(structuredClone(request), resolve, (event) => {
        events.push(event)
        changed()
      })
    })
  return {
    events,
    ask,
    must: async (request) => unrefused(request, await ask(request)),
    close: () => device.close(),
  }
}
