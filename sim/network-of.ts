import { SimNetwork, type SimNetworkOptions } from './ports/network.ts'
import type { World } from './world.ts'

/** A network in the time of a world, each way of which has a stream of chance of its own. */
export function networkOf(world: World, drawDelayMs?: SimNetworkOptions['drawDelayMs']): SimNetwork {
  return new SimNetwork({
    nowMs: () => world.nowMs,
    after: (ms, work) => world.after(ms, work),
    random: (stream) => world.streams.stream(`network/${stream}`),
    ...(drawDelayMs && { drawDelayMs }),
  })
}
