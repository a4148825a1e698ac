import { createGossip } from '../../net/gossip/index.ts'
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

export const arms: { name: string; make(): Arm }[] = [{ name: 'libp2p', make: realArm }]

const AGAIN_MS = 50

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
    async must(request) {
      const outcome = await ask(request)
      if (isRefused(outcome)) throw new Error(`${request.do}: ${outcome.why}`)
      return outcome
    },
    close: () => device.close(),
  }
}
