import { apisOf, isRefusedForSure } from './apis.ts'
import type { SimReply } from './clients.ts'
import type { LockHistory, LockStep, SessionLife } from './models/lock.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'
import { snapshotsOf } from './snapshots.ts'

/** What sessions of a simulation ask for, and a little less than twice that: how long they live, by a clock that is fast. */
export const SESSION_TTL = '1s'
const LIVES_MS = 1_999

/** Long enough for a check to say nothing by itself. */
const CHECK_TTL = '24h'

/** What a client has of its session: the session, the agent it was made with, and the service with whose check it ends. */
type Held = { session: string; node: string; service: string }

/** Clients that take locks. Each has one session at a time, and forgets it once it hears that there is none. */
export class Lockers {
  readonly #history: LockHistory = { sessions: new Map<string, SessionLife>(), steps: [] }
  readonly #run: Run
  readonly #sessions = new Map<string, Held>()
  #services = 0

  constructor(run: Run) {
    this.#run = run
  }

  /** What clients did, and what happened to what their sessions live by. */
  get history(): LockHistory {
    const { cluster } = this.#run
    const { sessions, steps } = this.#history
    const uprooted: LockStep[] = snapshotsOf(this.#run).restores.map(({ invokedMs, answeredMs }) => uproot(invokedMs, answeredMs))
    // An agent that begins anew does not know of its checks until it is told, and takes its time to say so.
    for (const { node, check } of sessions.values()) {
      if (check === '') continue
      for (const { atMs } of cluster.node(node).interruptions) uprooted.push(uproot(atMs, Number.POSITIVE_INFINITY, { node, check }))
    }
    return { sessions, steps: [...steps, ...uprooted] }
  }

  /** Calls `then` with the client's session: maybe at once, and never if none can be made. `bound`: it ends with a check. */
  withSession(client: string, node: string, delayMs: number, bound: boolean, then: (session: string) => void): void {
    const known = this.#sessions.get(client)
    if (known) return then(known.session)
    if (!bound) return this.#create(client, node, delayMs, '', then)
    const service = `${client}-${++this.#services}`
    const body = { ID: service, Name: 'locker', Check: { CheckID: service, TTL: CHECK_TTL, Status: 'passing' } }
    this.#ask(node, '/v1/agent/service/register', { body }, (reply) => {
      if (reply !== 'lost' && reply.status === 200 && this.#run.up(node)) this.#create(client, node, delayMs, service, then)
    })
  }

  #create(client: string, node: string, delayMs: number, service: string, then: (session: string) => void): void {
    const invokedMs = this.#run.world.nowMs
    const checks = service === '' ? {} : { NodeChecks: ['serfHealth', service] }
    this.#ask(node, '/v1/session/create', { body: { Name: client, TTL: SESSION_TTL, LockDelay: `${delayMs}ms`, ...checks } }, (reply) => {
      if (reply === 'lost' || reply.status !== 200) return
      const { ID: session } = reply.json as { ID: string }
      if (this.#sessions.has(client)) return
      this.#sessions.set(client, { session, node, service })
      this.#history.sessions.set(session, { livesMs: LIVES_MS, node, check: service, delayMs, renewedMs: [invokedMs] })
      if (service !== '') this.#run.reach('session bound to a check')
      then(session)
    })
  }

  /** Ends the session of a client by its check, which becomes critical or goes. */
  failCheck(client: string, how: 'fail' | 'deregister'): void {
    const { node, service } = this.#sessions.get(client) ?? { node: '', service: '' }
    if (service === '' || !this.#run.up(node)) return
    // Acknowledged by the agent; the catalog hears of it when it does.
    this.#history.steps.push(uproot(this.#run.world.nowMs, Number.POSITIVE_INFINITY, { node, check: service }))
    const path = how === 'fail' ? `/v1/agent/check/fail/${service}` : `/v1/agent/service/deregister/${service}`
    this.#ask(node, path, {}, () => this.#run.reach('check of a session failed'))
  }

  /** Takes a node out of the catalog, which its agent puts back. */
  removeNode(node: string, removed: string): void {
    const step = uproot(this.#run.world.nowMs, Number.POSITIVE_INFINITY, { node: removed })
    this.#history.steps.push(step)
    this.#ask(node, '/v1/catalog/deregister', { body: { Node: removed } }, (reply) => {
      this.#settle(step, reply)
      if (step.outcome) this.#run.reach('node removed')
    })
  }

  acquire(client: string, node: string, key: string, session: string): void {
    const step = this.#begin({ do: 'acquire', key, session })
    this.#ask(node, `/v1/kv/${key}`, { query: { acquire: session }, body: client }, (reply) => {
      this.#settle(step, reply)
      if (step.outcome !== undefined) this.#run.reach(step.outcome ? 'lock taken' : 'lock busy')
      // A session that cannot take a lock has ended.
      if (reply !== 'lost' && reply.status === 500) this.#forget(client, session)
    })
  }

  release(client: string, node: string, key: string): void {
    const session = this.#sessions.get(client)?.session
    if (session === undefined) return
    const step = this.#begin({ do: 'release', key, session })
    this.#ask(node, `/v1/kv/${key}`, { query: { release: session }, body: client }, (reply) => {
      this.#settle(step, reply)
      if (step.outcome) this.#run.reach('lock released')
    })
  }

  renew(client: string, node: string): void {
    const session = this.#sessions.get(client)?.session
    const life = session === undefined ? undefined : this.#history.sessions.get(session)
    if (session === undefined || !life) return
    const invokedMs = this.#run.world.nowMs
    this.#ask(node, `/v1/session/renew/${session}`, {}, (reply) => {
      if (reply === 'lost') return
      if (reply.status === 200) life.renewedMs.push(invokedMs)
      if (reply.status !== 404) return
      this.#forget(client, session)
      this.#run.reach('session ended by itself')
    })
  }

  destroy(client: string, node: string): void {
    const session = this.#sessions.get(client)?.session
    if (session === undefined) return
    this.#forget(client, session)
    const step = this.#begin({ do: 'destroy', key: '', session })
    this.#ask(node, `/v1/session/destroy/${session}`, {}, (reply) => this.#settle(step, reply))
  }

  #ask(node: string, path: string, request: { query?: Record<string, string>; body?: string | object }, done: Done): void {
    apisOf(this.#run).request(node, 'PUT', path, request, (reply) => {
      const told = reply === 'lost' ? reply : `${reply.status} ${reply.text}`
      this.#run.world.trace.add(this.#run.world.nowMs, `PUT ${path} ${told}`)
      done(reply)
    })
  }

  #begin(step: Pick<LockStep, 'do' | 'key' | 'session'>): LockStep {
    const begun: LockStep = { ...step, invokedMs: this.#run.world.nowMs, answeredMs: Number.POSITIVE_INFINITY }
    this.#history.steps.push(begun)
    return begun
  }

  #settle(step: LockStep, reply: SimReply | 'lost'): void {
    if (reply === 'lost') return
    const isSettled = reply.status === 200 || isRefusedForSure(reply)
    if (isSettled) step.answeredMs = this.#run.world.nowMs
    if (isSettled) step.outcome = reply.status === 200 && reply.text.trim() === 'true'
  }

  #forget(client: string, session: string): void {
    const { session: own, node, service } = this.#sessions.get(client) ?? { session: '', node: '', service: '' }
    if (own !== session) return
    this.#sessions.delete(client)
    if (service !== '' && this.#run.up(node)) this.#ask(node, `/v1/agent/service/deregister/${service}`, {}, () => undefined)
  }
}

function uproot(invokedMs: number, answeredMs: number, uproots?: { node: string; check?: string }): LockStep {
  return { do: 'uproot', key: '', session: '', invokedMs, answeredMs, ...(uproots && { uproots }) }
}

type Done = (reply: SimReply | 'lost') => void

export const lockersOf = perRun((run: Run) => new Lockers(run))
