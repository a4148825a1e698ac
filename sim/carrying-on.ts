import { indexOf } from '../actors/command.ts'
import { isRefused } from '../src/kernel/refusal.ts'
import type { Upstream } from './estate.ts'
import { perRun } from './per-run.ts'
import { mayConnect } from './rest/conditions.ts'
import type { Run } from './run.ts'
import { troublesOf } from './troubles.ts'

/** Before servers go it is tried for so long what works. */
const BEFORE_MS = 2_500
/** A sidecar dials one instance after the other. */
const ECHO_WITHIN_MS = 5_000
/** A client that was started again has its sidecars by then. */
const STARTED_WITHIN_MS = 3_000
const PROBE = new Uint8Array([1])

/** Services of clients while every server is away: who reached whom before must do so then. */
export class CarryingOn {
  /** The first pair that lost each other. */
  wrong: string | undefined
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  /** Takes all servers away for a while. `restarted`: a client that is started again meanwhile. */
  away(forMs: number, how: 'aloud' | 'silently', restarted: string | undefined): void {
    const { cluster, world } = this.#run
    const isOwn = troublesOf(this.#run).mark()
    const intentions = this.#intentions()
    const working = new Set<Upstream>()
    for (const upstream of cluster.estate.upstreams) {
      if (!this.#isAmongClients(upstream) || !cluster.up(upstream.node)) continue
      this.#echo(upstream, () => working.add(upstream))
    }
    world.after(BEFORE_MS, () => {
      const isCalm = intentions === this.#intentions()
      const tried = [...working].filter(
        ({ node, source, destination }) => isCalm && mayConnect(cluster.stateFor(node), source, destination),
      )
      for (const { name } of cluster.servers) cluster.crash(name, forMs, how)
      if (restarted !== undefined) world.after(1, () => cluster.crash(restarted, 1, 'aloud'))
      if (forMs < STARTED_WITHIN_MS + ECHO_WITHIN_MS) return
      world.after(forMs - ECHO_WITHIN_MS, () => {
        for (const upstream of tried) this.#mustEcho(upstream, isOwn, restarted)
      })
    })
  }

  #mustEcho(upstream: Upstream, isOwn: () => boolean, restarted: string | undefined): void {
    const { world, cluster } = this.#run
    const { node, source, destination } = upstream
    if (!cluster.up(node)) return
    let echoed = false
    this.#echo(upstream, () => {
      echoed = true
    })
    world.after(ECHO_WITHIN_MS - 1, () => {
      // Whatever else is wrong may be in the way.
      if (!isOwn()) return
      this.#run.reach(restarted === undefined ? 'carried on without servers' : 'started without servers')
      if (!echoed) this.wrong ??= `${source} on ${node} does not reach ${destination} while every server is away, and did before`
    })
  }

  #echo({ node, address, port }: Upstream, done: () => void): void {
    const { cluster, world } = this.#run
    const giveUp = cluster.network.dial(node, { host: address, port }, (socket) => {
      if (isRefused(socket)) return
      socket.handlers = {
        data() {
          done()
          socket.end()
        },
      }
      socket.resume()
      socket.write(PROBE)
      world.after(ECHO_WITHIN_MS, () => socket.reset())
    })
    world.after(ECHO_WITHIN_MS, giveUp)
  }

  /** Servers are machines too: what runs on them is away with them. */
  #isAmongClients({ node, destination }: Upstream): boolean {
    const { cluster } = this.#run
    const places = cluster.estate.applications.filter(({ service }) => service === destination).map((application) => application.node)
    return [node, ...places].every((name) => !cluster.node(name).isServer)
  }

  #intentions(): string {
    return this.#run.cluster.servers.map(({ tables }) => indexOf(tables.view(), 'intentions')).join()
  }
}

export const carryingOnOf = perRun((run: Run) => new CarryingOn(run))
