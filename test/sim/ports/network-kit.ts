import { SimNetwork, type SimNetworkOptions } from '../../../sim/ports/network.ts'
import type { SimClosing, SimSocket } from '../../../sim/ports/socket.ts'
import { Streams } from '../../../sim/streams.ts'
import { assert, isRefused, type Refusal } from '../../../src/kernel/refusal.ts'
import { steppingClock } from '../../ports/mesh-arms.ts'

export const PORT = 80

/** Nodes a (10.0.0.1), b (10.0.0.2), which listens on port 80, and c (10.0.0.3). */
export function networkOf(options: Partial<SimNetworkOptions> = {}, seed = 'network') {
  const clock = steppingClock()
  const streams = new Streams(seed)
  const network = new SimNetwork({ nowMs: clock.nowMs, after: clock.after, random: (name) => streams.stream(name), ...options })
  network.addNode('a', '10.0.0.1')
  network.addNode('b', '10.0.0.2')
  network.addNode('c', '10.0.0.3')
  const accepted: SimSocket[] = []
  const listen = () => {
    const bound = network.listen('b', '0.0.0.0', PORT, (socket) => accepted.push(socket))
    assert(!isRefused(bound), 'b listens')
    return bound
  }
  const bound = listen()
  const outcomes: (SimSocket | Refusal)[] = []
  const dial = (host = '10.0.0.2', port = PORT, from = 'a') => network.dial(from, { host, port }, (outcome) => outcomes.push(outcome))
  const pass = (ms: number) => clock.run(clock.nowMs() + ms)
  return { clock, network, accepted, outcomes, dial, bound, listen, pass }
}

/** A connection from a to b. */
export async function connected(options: Partial<SimNetworkOptions> = {}, seed?: string) {
  const made = networkOf(options, seed)
  made.dial()
  const near = await made.clock.until(() => made.outcomes[0])
  assert(!isRefused(near), 'a reaches b')
  const far = made.accepted[0]
  assert(far !== undefined, 'b accepted')
  return { ...made, near, far }
}

/** What arrives at an end, in words. */
export function heard(socket: SimSocket): string[] {
  const log: string[] = []
  socket.handlers = {
    data: (bytes) => log.push(Buffer.from(bytes).toString('utf8')),
    end: () => log.push('end'),
    closed: (how: SimClosing) => log.push(how),
  }
  socket.resume()
  return log
}

export function say(socket: SimSocket, ...words: string[]): void {
  for (const word of words) socket.write(Buffer.from(word))
}
