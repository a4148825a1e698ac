import { apisOf, isRefusedForSure } from './apis.ts'
import type { SimReply } from './clients.ts'
import type { LockHistory, LockStep, SessionLife } from './models/lock.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** What sessions of a simulation ask for, and a little less than twice that: how long they live, by a clock that is fast. */
export const SESSION_TTL = '1s'
const LIVES_MS = 1_999

/** Clients that take locks. Each has one session at a time, and forgets it once it hears that there is none. */
export class Lockers {
  readonly history: LockHistory = { sessions: new Map<string, SessionLife>(), steps: [] }
  readonly #run: Run
  readonly #sessions = new Map<string, string>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Calls `then` with the client's session: maybe at once, and never if none can be made. */
  withSession(client: string, node: string, delayMs: number, then: (session: string) => void): void {
    const known = this.#sessions.get(client)
    if (known !== undefined) return then(known)
    const invokedMs = this.#run.world.nowMs
    const body = { Name: client, TTL: SESSION_TTL, LockDelay: `${delayMs}ms` }
    this.#ask(node, '/v1/session/create', { body }, (reply) => {
      if (reply === 'lost' || reply.status !== 200) return
      const { ID: session } = reply.json as { ID: string }
      if (this.#sessions.has(client)) return
      this.#sessions.set(client, session)
      this.history.sessions.set(session, { livesMs: LIVES_MS, delayMs, renewedMs: [invokedMs] })
      then(session)
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
    const session = this.#sessions.get(client)
    if (session === undefined) return
    const step = this.#begin({ do: 'release', key, session })
    this.#ask(node, `/v1/kv/${key}`, { query: { release: session }, body: client }, (reply) => {
      this.#settle(step, reply)
      if (step.outcome) this.#run.reach('lock released')
    })
  }

  renew(client: string, node: string): void {
    const session = this.#sessions.get(client)
    const life = session === undefined ? undefined : this.history.sessions.get(session)
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
    const session = this.#sessions.get(client)
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
    this.history.steps.push(begun)
    return begun
  }

  #settle(step: LockStep, reply: SimReply | 'lost'): void {
    if (reply === 'lost') return
    const isSettled = reply.status === 200 || isRefusedForSure(reply)
    if (isSettled) step.answeredMs = this.#run.world.nowMs
    if (isSettled) step.outcome = reply.status === 200 && reply.text.trim() === 'true'
  }

  #forget(client: string, session: string): void {
    if (this.#sessions.get(client) === session) this.#sessions.delete(client)
  }
}

type Done = (reply: SimReply | 'lost') => void

export const lockersOf = perRun((run: Run) => new Lockers(run))
