import { serviceInstances, worstStatus } from '../../actors/catalog/queries.ts'
import type { LocalList } from '../../actors/local/protocol.ts'
import { localRef } from '../../actors/local/protocol.ts'
import type { Host } from '../../src/kernel/host.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { Upstream } from '../estate.ts'
import type { SimNode } from '../node.ts'
import type { SimSocket } from '../ports/socket.ts'
import { mayConnect } from '../rest/conditions.ts'
import type { Run } from '../run.ts'
import { LOOK_EVERY_MS, type Sample } from './gaps.ts'
import { Propagation } from './propagation.ts'
import { endOf } from './words.ts'

/** Who wants to reach whom, and how every attempt went. `isDenied`: no intention of the agents allowed it. */
export type Pair = { upstream: Upstream; samples: (Sample & { isDenied: boolean })[] }
/** How a service is, as an agent knows it. `node` narrows it down to the instances of one agent; '' is all of them. */
export type HealthQuestion = { asked: string; service: string; node: string; status: 'passing' | 'critical' }

const ANSWER_WITHIN_MS = 2_000
const PROBE = new Uint8Array([1])

/** Looks at a run from outside as the users of its services do: again and again, and writes down what worked. */
export class Watcher {
  readonly pairs: readonly Pair[]
  /** Whether an agent runs, answers and knows what the cluster knows. */
  readonly agents = new Map<string, Sample[]>()
  /** How services are, by question. */
  readonly health = new Map<HealthQuestion, Sample[]>()
  readonly propagation: Propagation
  readonly #run: Run

  constructor(run: Run, questions: readonly HealthQuestion[] = []) {
    const { world, cluster } = run
    this.#run = run
    this.propagation = new Propagation(run)
    this.pairs = cluster.estate.upstreams.map((upstream) => ({ upstream, samples: [] }))
    for (const name of cluster.nodes.keys()) this.agents.set(name, [])
    for (const question of questions) this.health.set(question, [])
    const offsets = world.streams.stream('own/watcher')
    for (const pair of this.pairs) this.#repeat(offsets.int(0, LOOK_EVERY_MS - 1), () => this.#tryPair(pair))
    for (const [name, samples] of this.agents) this.#repeat(offsets.int(0, LOOK_EVERY_MS - 1), () => this.#tryAgent(name, samples))
    for (const [question, samples] of this.health)
      this.#repeat(offsets.int(0, LOOK_EVERY_MS - 1), () => this.#lookAtHealth(question, samples))
  }

  /** The run is over: what was under way says nothing. */
  finish(): void {
    const { nowMs } = this.#run.world
    for (const samples of [...this.pairs.map((pair) => pair.samples), ...this.agents.values()]) {
      const kept = samples.filter(({ atMs, isGood }: Sample) => isGood || atMs + ANSWER_WITHIN_MS <= nowMs)
      samples.splice(0, samples.length, ...kept)
    }
    this.propagation.finish()
  }

  #repeat(firstMs: number, work: () => void): void {
    const { world } = this.#run
    const again = () => {
      work()
      world.after(LOOK_EVERY_MS, again)
    }
    world.after(firstMs, again)
  }

  /** Opens a connection to an upstream, sends something and waits for it to come back. */
  #tryPair({ upstream, samples }: Pair): void {
    const { cluster, world } = this.#run
    const from = cluster.up(upstream.node)
    if (!from) return
    const { hosts } = from
    const sample = { atMs: world.nowMs, isGood: false, isDenied: false }
    samples.push(sample)
    let open: SimSocket | undefined
    const giveUp = cluster.network.dial(upstream.node, { host: upstream.address, port: upstream.port }, (socket) => {
      if (isRefused(socket)) return
      open = socket
      socket.handlers = {
        data() {
          sample.isGood = true
          socket.end()
        },
      }
      socket.resume()
      socket.write(PROBE)
    })
    world.after(ANSWER_WITHIN_MS, () => {
      giveUp()
      if (sample.isGood) return
      open?.reset()
      // A program that stopped with its machine has asked for nothing.
      if (from.hosts !== hosts) samples.splice(samples.indexOf(sample), 1)
      else sample.isDenied = !mayConnect(cluster.stateFor(from.name), upstream.source, upstream.destination)
    })
  }

  /** Asks an agent for what it runs. It must answer in time and, on a server, know of everything that was decided before. */
  #tryAgent(name: string, samples: Sample[]): void {
    const { cluster, world } = this.#run
    const node = cluster.up(name)
    const sample: Sample = { atMs: world.nowMs, isGood: false }
    samples.push(sample)
    if (!node) return
    if (node.isServer) this.propagation.follow(node)
    const head = cluster.log?.head ?? 0
    const edge: Host = node.edge
    let hasAnswered = false
    edge.ask(localRef, 'list', null, ANSWER_WITHIN_MS, (list) => {
      hasAnswered = !isRefused(list)
      if (!isRefused(list)) this.#heartbeat(node, edge, list)
    })
    world.after(ANSWER_WITHIN_MS, () => {
      sample.isGood = hasAnswered && (cluster.log === undefined || !node.isServer || cluster.log.appliedOf(name) >= head)
    })
  }

  /** Programs with a TTL check say that they are well, unless they are stopped. */
  #heartbeat(node: SimNode, edge: Host, { checks }: LocalList): void {
    if (!node.isUp || node.edge !== edge) return
    for (const { type, checkId, serviceId } of checks) {
      if (type !== 'ttl' || this.#isStopped(node.name, serviceId)) continue
      const update = { checkId, status: 'passing', output: '', token: '' } as const
      edge.ask(localRef, 'ttlUpdate', update, ANSWER_WITHIN_MS, (result) => {
        if (isRefused(result)) this.#run.reach(`TTL update ${result.refused}`)
      })
    }
  }

  #isStopped(node: string, serviceId: string): boolean {
    const { plan, world } = this.#run
    const { nowMs } = world
    return plan.events.some(
      (event) =>
        event.do === 'program-stops' &&
        event.node === node &&
        (event['service'] ?? serviceId) === serviceId &&
        event.atMs <= nowMs &&
        endOf(event, plan.nodes.length) > nowMs,
    )
  }

  #lookAtHealth({ asked, service, node: place, status }: HealthQuestion, samples: Sample[]): void {
    const { cluster, world } = this.#run
    const node = cluster.up(asked)
    if (!node) return
    // A client is told by a server, of which it has to have one.
    const state = cluster.stateFor(asked)
    if (!state.isUp) return void samples.push({ atMs: world.nowMs, isGood: false })
    const instances = serviceInstances(state.tables.view(), service).instances.filter((one) => place === '' || one.node.name === place)
    samples.push({ atMs: world.nowMs, isGood: instances.length > 0 && instances.every((one) => worstStatus(one) === status) })
  }
}
