import type { Config } from '../src/config/config.ts'
import { createFarThread, type FarThread } from '../src/far-threads.ts'
import type { Host } from '../src/kernel/host.ts'
import type { Clock, Devices } from '../src/kernel/ports.ts'
import type { Layout } from '../src/placement.ts'
import { createSimLinks } from './ports/links.ts'
import type { SimNetwork } from './ports/network.ts'
import type { World } from './world.ts'

export type NodeLinksOptions = {
  world: World
  network: SimNetwork
  config: Config
  layout: Layout
  /** The clock of the thread that has the links: the first one. */
  clock: Clock
  /** Brings work from one thread to another. */
  pass(from: number, to: number, work: () => void): void
}

/** Where others reach its links: the port of gossip, also of an agent that has none. */
export function linksPortOf({ ports }: Config): number {
  return ports.serfLan > 0 ? ports.serfLan : SERF_PORT
}

const SERF_PORT = 8_301

/** By which id others know an agent. */
export function peerOf(node: string): string {
  return `peer of ${node}`
}

/** The links of one life of an agent's process: the device, and the end of it that each thread has. */
export class NodeLinks {
  readonly device: Devices['links']
  readonly #options: NodeLinksOptions
  readonly #links: ReturnType<typeof createSimLinks>
  /** The present ones, by their threads. */
  readonly #ends = new Map<number, FarThread>()

  constructor(options: NodeLinksOptions) {
    const { network, config, layout, clock } = options
    const { name } = config.node
    const { after, monotonicMs } = clock
    this.#options = options
    const port = linksPortOf(config)
    this.#links = createSimLinks({ network, node: name, peer: peerOf(name), port, layout, after, monotonicMs })
    this.device = this.#links
  }

  /** The end of a thread that is made, whose host comes later. */
  create(thread: number, host: () => Host): FarThread {
    const end = createFarThread(host)
    this.#ends.set(thread, end)
    return end
  }

  /** A thread that was made runs. */
  begun(thread: number): void {
    const { world, config, pass } = this.#options
    const end = this.#ends.get(thread)
    if (!end) return
    const isPresent = () => this.#ends.get(thread) === end
    this.#links.attach(thread, (message) =>
      pass(0, thread, () => {
        if (!isPresent()) return
        if (message.far === 'batch') world.trace.add(world.nowMs, `${config.node.name} far>${thread}`, message.batch)
        end.take(message)
      }),
    )
    end.attach((message) => pass(thread, 0, () => isPresent() && this.#links.take(thread, message)))
  }

  /** The process ends by itself: others hear of it. */
  close(): void {
    this.#ends.clear()
    this.#links.close()
  }

  /** The thread has ended. */
  ended(thread: number): void {
    if (this.#ends.delete(thread)) this.#links.detach(thread, 'its thread failed')
  }
}
