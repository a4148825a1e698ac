import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ConnectInstance } from '../../actors/feeds/protocol.ts'
import type { ProxyPlan } from '../connect-proxy/translate.ts'
import type { LogLevel } from '../kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { type Access, mapText, serviceOf, verdictOf } from './access.ts'
import { backendOf, configurationOf, frontendsOf, type Identity, type Paths, placeOf, type Slot, weightOf } from './configuration.ts'
import { admittedIn, ask, replaceCertificate, replaceMap, type Session, sessionsIn, told } from './control.ts'
import { MESH_LUA } from './lua.ts'
import { type Generation, startGeneration } from './process.ts'
import { isMark, type Logged, loggedIn } from './refusals.ts'
import { placed, slotCommands } from './slots.ts'

/** All that HAProxy is to go by. */
export type Wanted = {
  plan: ProxyPlan
  identity: Identity
  /** The leaf with its chain and its key. */
  leafPem: string
  rootsPem: string
  access: Access
  /** By the name of the upstream's service. */
  instances: ReadonlyMap<string, readonly ConnectInstance[]>
}

export type EngineOptions = {
  binary: string
  /** Of this user's alone. */
  directory: string
  print(level: LogLevel, line: string, facts?: Record<string, unknown>): void
  /** Somebody was refused, or closed because of intentions. */
  refused(logged: Logged): void
  /** HAProxy has ended by itself. */
  failed(why: string): void
}

/** One that takes no more connections ends once it has none. */
type Leaving = { generation: Generation; frontends: readonly string[] }
type Applied = { wanted: Wanted; slots: Slot[][]; shape: string }

const FILE_MODE = 0o600
const WAIT_BEFORE_KILL_MS = 5_000
const LOOK_AT_LEAVING_MS = 2_000
/** How often, and how far apart, it is looked whether sessions have gone. */
const GONE_TRIES = 100
const GONE_AGAIN_MS = 10

/**
 * Makes HAProxy what is wanted. A leaf and instances go into the process that runs, verdicts into older ones too, whose connections still
 * last; anything else takes a new process, which takes the listeners over, so that no connection is lost.
 */
export class Engine {
  readonly #options: EngineOptions
  readonly #paths: Omit<Paths, 'control'>
  readonly #alive: Server
  /** The newest comes last. */
  #generations: Generation[] = []
  readonly #leaving = new Set<Leaving>()
  readonly #looking: NodeJS.Timeout
  #applied: Applied | undefined
  /** What all processes have; undefined while that is not known. */
  #access: Access | undefined
  #count = 0
  #closing = false

  constructor(options: EngineOptions) {
    const at = (name: string) => join(options.directory, name)
    this.#options = options
    this.#paths = { lua: at('mesh.lua'), leaf: at('leaf.pem'), roots: at('roots.pem'), access: at('access.map'), alive: at('alive.sock') }
    this.#write(this.#paths.lua, MESH_LUA)
    // Whoever is connected knows from the end of the connection that this process has ended.
    this.#alive = createServer((socket) => socket.on('error', () => socket.destroy())).listen(this.#paths.alive)
    this.#alive.unref()
    this.#looking = setInterval(() => void this.#endIdle(), LOOK_AT_LEAVING_MS)
    this.#looking.unref()
  }

  /** One at a time. A refusal leaves what was, as far as it could not be changed. */
  async apply(wanted: Wanted): Promise<Refusal | undefined> {
    const before = this.#applied
    const slots = wanted.plan.upstreams.map(({ service }, position) => {
      const known = before?.wanted.plan.upstreams[position]?.service === service ? (before.slots[position] ?? []) : []
      return placed(known, this.#reachable(wanted.instances.get(service) ?? []))
    })
    // HAProxy 2.6 could change roots while it runs, but it would forget then who shows the certificate, and never change that again.
    const shape = JSON.stringify([wanted.plan, wanted.rootsPem, wanted.identity, slots.map(({ length }) => length)])
    const next: Applied = { wanted, slots, shape }
    this.#write(this.#paths.leaf, wanted.leafPem)
    this.#write(this.#paths.roots, wanted.rootsPem)
    this.#write(this.#paths.access, mapText(wanted.access))
    // Who may not come any more is closed first, in every process, whatever becomes of the rest.
    const denied = await this.#enforce(wanted.access)
    const fresh = before === undefined || before.shape !== shape || this.#generations.length === 0
    const changed = fresh ? undefined : await this.#change(before, next)
    if (changed) this.#options.print('warn', 'HAProxy does not take a change while it runs: a new process does', { error: changed.why })
    const refused = fresh || changed ? await this.#renew(next, before) : undefined
    // What runs is not known after a failure: the next time takes a new process.
    this.#applied = refused ? before && { ...before, shape: '' } : next
    return refused ?? denied
  }

  /** Ends every process and its connections. */
  async close(): Promise<void> {
    this.#closing = true
    clearInterval(this.#looking)
    const running = [...this.#generations]
    for (const { pid } of running) process.kill(pid, 'SIGTERM')
    const killer = setTimeout(() => {
      for (const generation of running) generation.kill()
    }, WAIT_BEFORE_KILL_MS)
    await Promise.all(running.map(({ ended }) => ended))
    clearTimeout(killer)
    await new Promise((resolve) => this.#alive.close(resolve))
  }

  #write(path: string, text: string): void {
    writeFileSync(path, text, { mode: FILE_MODE })
  }

  #reachable(instances: readonly ConnectInstance[]): ConnectInstance[] {
    return instances.filter((instance) => {
      const place = placeOf(instance)
      if (isRefused(place))
        this.#options.print('warn', 'an instance is left out', { instance: instance.id, node: instance.node, error: place.why })
      return !isRefused(place)
    })
  }

  async #renew(next: Applied, before: Applied | undefined): Promise<Refusal | undefined> {
    const number = ++this.#count
    const control = join(this.#options.directory, `control-${number}.sock`)
    const configuration = join(this.#options.directory, `haproxy-${number}.cfg`)
    const { wanted, slots } = next
    this.#write(configuration, configurationOf({ ...wanted, slots, paths: { ...this.#paths, control } }))
    const generation = await startGeneration({
      binary: this.#options.binary,
      configuration,
      control,
      environment: { MESH_ACCESS: this.#paths.access, MESH_ALIVE: this.#paths.alive, MESH_TRUST_DOMAIN: wanted.identity.trustDomain },
      before: this.#generations.at(-1),
      print: (level, line) => this.#heard(level, line),
      logged: (line) => this.#logged(line),
    })
    if (isRefused(generation)) return generation
    const old = this.#generations.at(-1)
    this.#generations.push(generation)
    if (old && before) await this.#retire({ generation: old, frontends: frontendsOf(before.wanted.plan) })
    this.#options.print('info', 'HAProxy runs', { pid: generation.pid, configuration })
    void generation.ended.then((why) => {
      const isNewest = this.#generations.at(-1) === generation
      this.#generations = this.#generations.filter((other) => other !== generation)
      for (const path of [control, configuration]) rmSync(path, { force: true })
      if (isNewest && !this.#closing) this.#options.failed(why)
    })
    return undefined
  }

  #heard(level: LogLevel, line: string): void {
    if (!isMark(line)) this.#options.print(level, line)
  }

  #logged(line: string): void {
    const logged = loggedIn(line)
    if (logged) this.#options.refused(logged)
  }

  /** It goes on to hear what is forbidden; told to end by itself, HAProxy would not. */
  async #retire(leaving: Leaving): Promise<void> {
    const { generation, frontends } = leaving
    for (const frontend of frontends) {
      const done = await told(generation.control, `shutdown frontend ${frontend}`, /^$/)
      if (!isRefused(done)) continue
      this.#options.print('error', 'an older process does not stop to listen: it is ended', { pid: generation.pid, error: done.why })
      return generation.kill()
    }
    this.#leaving.add(leaving)
    void generation.ended.then(() => this.#leaving.delete(leaving))
  }

  async #endIdle(): Promise<void> {
    for (const { generation, frontends } of [...this.#leaving]) {
      const sessions = await ask(generation.control, 'show sess')
      if (typeof sessions === 'string' && sessionsIn(sessions).some(({ frontend }) => frontends.includes(frontend))) continue
      generation.kill()
    }
  }

  async #change({ wanted: before, slots: slotsBefore }: Applied, { wanted, slots }: Applied): Promise<Refusal | undefined> {
    const control = this.#generations.at(-1)?.control ?? ''
    const results: Result<string>[] = []
    if (before.leafPem !== wanted.leafPem) results.push(await replaceCertificate(control, this.#paths.leaf, wanted.leafPem))
    results.push(...(await this.#placeInstances(control, slotsBefore, slots)))
    return results.find(isRefused)
  }

  async #placeInstances(control: string, before: readonly Slot[][], now: readonly Slot[][]): Promise<Result<string>[]> {
    const commands = now.flatMap((slots, position) =>
      slots.flatMap((slot, place) => slotCommands(backendOf(position), before[position]?.[place], slot, weightOf)),
    )
    const results: Result<string>[] = []
    for (const command of commands)
      results.push(await told(control, command, command.includes(' addr ') ? /changed from|no need to change/ : /^$/))
    return results
  }

  /** Verdicts first, then the connections that they forbid. */
  async #enforce(now: Access): Promise<Refusal | undefined> {
    if (this.#access && mapText(this.#access) === mapText(now)) return undefined
    this.#access = undefined
    let refusal: Refusal | undefined
    for (const generation of [...this.#generations]) {
      const { control } = generation
      const replaced = await replaceMap(control, this.#paths.access, now)
      const closed = isRefused(replaced) ? replaced : await this.#closeDenied(control, now)
      if (!isRefused(closed)) {
        if (closed > 0) this.#options.print('info', 'connections were closed that intentions forbid', { closed, pid: generation.pid })
        continue
      }
      // A process that does not take a deny must not go on.
      this.#options.print('error', 'HAProxy does not take intentions: the process is ended', { pid: generation.pid, error: closed.why })
      if (this.#generations.includes(generation)) generation.kill()
      refusal = closed
    }
    if (!refusal) this.#access = now
    return refusal
  }

  async #closeDenied(control: string, now: Access): Promise<Result<number>> {
    const admitted = await ask(control, 'show mesh')
    const sessions = await ask(control, 'show sess')
    if (typeof admitted !== 'string') return admitted
    if (typeof sessions !== 'string') return sessions
    const keys = admittedIn(admitted)
    const denied = sessionsIn(sessions).filter(({ from }) => {
      const key = keys.get(from)
      return key !== undefined && verdictOf(now, key) === 'deny'
    })
    for (const { id, from } of denied) {
      const closed = await ask(control, `shutdown session ${id}`)
      if (typeof closed !== 'string') return closed
      this.#options.refused({ what: 'closed', from, service: serviceOf(keys.get(from) ?? '') })
    }
    const gone = await this.#whenGone(control, denied)
    return isRefused(gone) ? gone : denied.length
  }

  /** HAProxy ends a session a moment after it has said so, and gives its id to others. */
  async #whenGone(control: string, ending: readonly Session[]): Promise<Result<null>> {
    if (ending.length === 0) return null
    const keyOf = ({ id, from }: Session) => `${id} ${from}`
    const keys = new Set(ending.map(keyOf))
    for (let tries = 0; tries < GONE_TRIES; tries++) {
      const sessions = await ask(control, 'show sess')
      if (typeof sessions !== 'string') return sessions
      if (!sessionsIn(sessions).some((session) => keys.has(keyOf(session)))) return null
      await pause(GONE_AGAIN_MS)
    }
    return refuse('late', `sessions that were to end have not, after ${GONE_TRIES * GONE_AGAIN_MS} ms`)
  }
}
