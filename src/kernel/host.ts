import type { Turn } from './actor.ts'
import { Calls } from './calls.ts'
import { Feeds } from './feeds.ts'
import { fulfilOwn, type Surroundings } from './fulfil.ts'
import type { HostOptions } from './host-options.ts'
import { type ActorStats, type AnyActor, type Envelope, Instance, owedKey, statsOf } from './instance.ts'
import { Links } from './links.ts'
import type { Ports } from './ports.ts'
import {
  type AnswerOf,
  addressOf,
  type Caller,
  type CallsOf,
  LATER,
  type Peer,
  type Ref,
  type RequestOf,
  type Subscriber,
} from './protocol.ts'
import { Queue } from './queue.ts'
import { Waiters } from './recording-view.ts'
import { assert, isRefused, isThenable, type Result, refuse } from './refusal.ts'
import { Samples } from './sample.ts'
import type { ChangeNotice } from './tables.ts'
import * as wire from './wire.ts'
import { type OwnMessage, Recorder, type Wish } from './wishes.ts'

/** A thread gives its other work a turn after this long. */
const SLICE_MS = 4

/**
 * Runs the actors of one thread: delivers messages one at a time, carries out wishes, keeps deadlines, restarts what crashes,
 * and speaks to the other threads and nodes over links. It has no clock, no I/O and no chance but its ports.
 */
export class Host {
  readonly node: string
  readonly thread: number
  readonly ports: Ports
  /** Readers of the tables on this thread that wait for a change. */
  readonly waiters: Waiters
  /** The newest commit that this thread was told of. */
  noticed = 0
  /** Counters and what was measured by name, of this thread, and levels: what is so now. Those of all threads add up. */
  readonly counters = new Map<string, number>()
  readonly levels = new Map<string, number>()
  readonly samples = new Samples()
  readonly #options: HostOptions
  readonly #definitions = new Map<string, AnyActor>()
  readonly #instances = new Map<string, Instance>()
  readonly #started = new Map<string, { actor: string; key: string; args: unknown; peer: number }>()
  readonly #links: Links
  readonly #calls: Calls
  readonly #feeds: Feeds
  readonly #surroundings: Surroundings
  readonly #queue = new Queue<Envelope>()
  readonly #recorder = new Recorder()
  #scheduled = false
  #closed = false

  constructor(options: HostOptions) {
    this.#options = options
    this.node = options.node
    this.thread = options.thread
    this.ports = options.ports
    this.waiters = new Waiters(options.hears?.(options.thread) ?? true)
    this.#calls = new Calls(options.ports.clock, options.ports.random('calls'))
    for (const definition of options.actors) this.#definitions.set(definition.name, definition)
    this.#surroundings = {
      ports: this.ports,
      waiters: this.waiters,
      tell: (instance, message) => this.#enqueue(instance.own(message)),
      later: (instance, then) => this.#later(instance, then),
      count: (metric, by) => this.count(metric, by),
      measure: (metric, value) => this.samples.of(metric).add(value),
    }
    const isWanted = (peer: Peer) => this.#feeds.follows(peer)
    this.#links = new Links({ options, connect: this.connect.bind(this), isWanted })
    this.#feeds = new Feeds({
      here: this.thread,
      peerOf: (to) => this.#peerOf(to),
      isLinked: (peer) => peer === this.thread || this.#links.wasThere(peer),
      push: (peer, item) => this.#push(peer, item),
      produce: (address, name, request, subscriber) => this.#deliverSubscription(address, name, request, subscriber),
      left: (instance, subscriber) => this.#left(instance, subscriber),
      soon: () => this.#schedule(),
    })
  }

  // ---------------------------------------------------------------- for the world around the actors

  /** Starts an actor here or wherever the placement table puts it. One that was started before keeps its thread, and is replaced unless it `stays`. */
  start(actor: string, key: string, args: unknown, lane?: number): void {
    const address = addressOf({ actor, key })
    const peer = this.#started.get(address)?.peer ?? this.#options.place(actor, key, lane)
    assert(typeof peer === 'number', `${address} is started on its own agent only`)
    this.#started.set(address, { actor, key, args, peer })
    if (peer === this.thread) this.#startHere(actor, key, args)
    else this.#push(peer, [wire.START, actor, key, args])
  }

  stop(actor: string, key: string): void {
    const address = addressOf({ actor, key })
    const peer = this.#peerOf({ actor, key })
    this.#started.delete(address)
    if (peer === this.thread) this.#stopHere(address)
    else this.#push(peer, [wire.STOP, actor, key])
  }

  /** A call from outside the actors: an HTTP request, a command, a test. Refused with `invalid` if it has a field that cannot travel. */
  ask<P, N extends CallsOf<P>>(
    to: Ref<P>,
    name: N,
    request: RequestOf<P[N]>,
    withinMs: number,
    done: (result: Result<AnswerOf<P[N]>>) => void,
  ): void {
    const reserved = wire.reservedField(request)
    if (reserved !== undefined) return done(refuse('invalid', `${reserved}: a field cannot have this name`))
    this.#call(to, name, request, withinMs, done as (result: Result<unknown>) => void)
  }

  asked<P, N extends CallsOf<P>>(to: Ref<P>, name: N, request: RequestOf<P[N]>, withinMs: number): Promise<Result<AnswerOf<P[N]>>> {
    return new Promise((resolve) => this.ask(to, name, request, withinMs, resolve))
  }

  /** Takes a feed for somebody outside the actors. The answer ends it. */
  follow(to: Ref, feed: string, request: unknown, take: (value: unknown, index: number) => void): () => void {
    const id = this.#feeds.follow(to, feed, request, (value, index, taken) => {
      take(value, index)
      taken()
    })
    return () => this.#feeds.unfollow(id)
  }

  /** A commit happened on this thread: wakes its readers and tells the other threads that have some. */
  notify(notice: ChangeNotice): void {
    for (const thread of this.#links.threads()) {
      if (this.#options.hears?.(thread) ?? true) this.#push(thread, [wire.NOTICE, notice.index, notice.touched])
    }
    this.#noticed(notice)
    this.#schedule()
  }

  #noticed(notice: ChangeNotice): void {
    this.waiters.notify(notice)
    this.noticed = notice.index
  }

  stats(): ActorStats[] {
    const nowMs = this.ports.clock.monotonicMs()
    return [...this.#instances.values()].map((instance) => statsOf(instance, this.thread, nowMs))
  }

  count(metric: string, by = 1): void {
    this.counters.set(metric, (this.counters.get(metric) ?? 0) + by)
  }

  close(): void {
    this.#closed = true
    this.#calls.close()
    this.#links.close()
    for (const instance of this.#instances.values()) instance.clear()
    this.#instances.clear()
  }

  // ---------------------------------------------------------------- links

  connect(peer: Peer, send: (batch: Uint8Array<ArrayBuffer>) => void): void {
    this.#links.add(peer, send)
    for (const { actor, key, args, peer: at } of this.#started.values()) if (at === peer) this.#push(peer, [wire.START, actor, key, args])
    this.#feeds.connected(peer)
    this.#schedule()
  }

  disconnect(peer: Peer, why: string): void {
    this.#links.remove(peer)
    this.#calls.lose(peer, why)
    this.#feeds.disconnected(peer)
    if (typeof peer === 'number') this.waiters.wakeAll()
    this.#schedule()
  }

  receive(peer: Peer, batch: Uint8Array): void {
    const items = wire.readBatch(batch, peer)
    if (isRefused(items)) return this.#dropped('a batch', { from: peer, why: items.why })
    for (const item of items) this.#take(peer, item)
    this.#links.get(peer)?.handled(items.length)
    // Not at once: what else has arrived by then is handled in the same run, and committed in the same group.
    this.#schedule()
  }

  #take(peer: Peer, item: wire.Item): void {
    switch (item[0]) {
      case wire.CALL:
        return this.#deliverCall(item[1], item[2], item[3], { peer, call: item[4] }, item[5])
      case wire.CAST:
        return this.#deliverCast(item[1], item[2], item[3], peer)
      case wire.ANSWER:
        return this.#calls.settle(item[1], item[2] as Result<unknown>, peer)
      case wire.SUBSCRIBE:
        return this.#feeds.subscribed({ peer, feed: item[4] }, item[1], item[2], item[3])
      case wire.UNSUBSCRIBE:
        return this.#feeds.unsubscribed({ peer, feed: item[1] })
      case wire.EMIT:
        return this.#feeds.arrived(item[1], item[2], item[3], peer)
      case wire.TAKEN:
        return this.#feeds.taken({ peer, feed: item[1] })
      case wire.START:
        return this.#startHere(item[1], item[2], item[3])
      case wire.STOP:
        return this.#stopHere(addressOf({ actor: item[1], key: item[2] }))
      case wire.NOTICE:
        return this.#noticed({ index: item[1], touched: item[2] })
      case wire.CREDIT:
        return this.#links.get(peer)?.credited(item[1])
    }
  }

  #push(peer: Peer, item: wire.Item): void {
    this.#links.push(peer, item)
    this.#schedule()
  }

  #peerOf(to: Ref): Peer {
    if (to.datacenter !== undefined || (to.node ?? this.node) !== this.node) return this.#options.far?.(to) ?? to.node ?? this.thread
    return this.#started.get(addressOf(to))?.peer ?? this.#options.place(to.actor, to.key)
  }

  // ---------------------------------------------------------------- running

  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    this.#options.soon(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  #run(): void {
    if (this.#closed) return
    const untilMs = this.ports.clock.monotonicMs() + SLICE_MS
    for (let handled = 1; ; handled++) {
      const envelope = this.#queue.take()
      if (envelope === undefined) break
      this.#handle(envelope)
      if (handled % 64 === 0 && this.ports.clock.monotonicMs() > untilMs) {
        this.#schedule()
        break
      }
    }
    this.#links.flush()
  }

  #enqueue(envelope: Envelope): void {
    envelope.to.waiting++
    if (envelope.to.down) envelope.to.held.push(envelope)
    else this.#queue.push(envelope)
    this.#schedule()
  }

  #handle(envelope: Envelope): void {
    const { to: instance, caller } = envelope
    if (instance.ended) {
      if (caller) this.#reply(caller, wire.gone(`${instance.address} was stopped`))
      return
    }
    if (instance.down) {
      instance.held.push(envelope)
      return
    }
    instance.waiting--
    if ((envelope.life ?? instance.life) === instance.life) this.#handOver(instance, envelope)
    if (envelope.taken) this.#feeds.sendTaken(envelope.taken.peer, envelope.taken.feed)
  }

  #handOver(instance: Instance, envelope: Envelope): void {
    const { caller, subscriber } = envelope
    if (subscriber && !this.#feeds.holds(subscriber)) return
    const beganMs = this.ports.clock.monotonicMs()
    if (caller && envelope.deadlineAt !== undefined && beganMs > envelope.deadlineAt) {
      this.#reply(caller, refuse('late', `${instance.address} could not take "${envelope.name}" before its deadline`))
      return
    }
    if (caller) instance.owed.set(owedKey(caller), caller)
    this.#guarded(instance, () => {
      const handler = instance.handler(envelope.name)
      assert(handler, `${instance.address} handles every message of its protocol, "${envelope.name}" too`)
      const result = handler(instance.state, envelope.request, this.#turnOf(instance), caller ?? subscriber)
      assert(!isThenable(result), `the handler "${envelope.name}" of ${instance.address} answers without waiting`)
      const wishes = this.#recorder.end()
      this.#fulfil(instance, wishes)
      if (caller && result !== LATER) this.#reply(caller, result as Result<unknown>, instance)
    })
    instance.messages++
    instance.busyMs += this.ports.clock.monotonicMs() - beganMs
  }

  #turnOf(instance: Instance): Turn<never> {
    return this.#recorder.begin({
      nowMs: this.ports.clock.wallMs(),
      random: instance.random,
      self: instance.ref,
      node: this.node,
      view: this.ports.tables.view(),
    })
  }

  /** Runs `work` of an actor; what it throws is a crash of that actor, and of nothing else. */
  #guarded<R>(instance: Instance, work: () => R): R | undefined {
    try {
      return work()
    } catch (error) {
      this.#crash(instance, error)
      return undefined
    }
  }

  // ---------------------------------------------------------------- delivering and calls

  #deliverCall(address: string, name: string, request: unknown, caller: Caller, withinMs: number): void {
    const instance = this.#instances.get(address)
    if (!instance) return this.#reply(caller, wire.gone(`no actor ${address} on thread ${this.thread}`))
    const refusal = instance.refuses(name, caller.peer)
    if (refusal) return this.#reply(caller, refusal)
    this.#enqueue({ to: instance, name, request, caller, deadlineAt: this.ports.clock.monotonicMs() + withinMs })
  }

  #deliverCast(address: string, name: string, request: unknown, peer: Peer): void {
    const instance = this.#instances.get(address)
    const refusal = instance?.refuses(name, peer)
    if (instance && !refusal) return this.#enqueue({ to: instance, name, request })
    if (instance) instance.dropped++
    this.#dropped(`"${name}"`, { to: address, why: refusal?.why ?? 'no such actor' })
  }

  #dropped(what: string, facts: Record<string, unknown>): void {
    this.count('kernel.dropped')
    this.ports.print('warn', 'kernel', `dropped ${what}`, facts)
  }

  #deliverSubscription(address: string, name: string, request: unknown, subscriber: { peer: Peer; feed: number }): Instance | undefined {
    const instance = this.#instances.get(address)
    const refusal = instance?.refuses(name, subscriber.peer)
    if (refusal?.refused === 'forbidden') this.#dropped(`a reader of "${name}"`, { to: address, why: refusal.why })
    if (!instance || refusal?.refused === 'forbidden') return undefined
    this.#enqueue({ to: instance, name, request, subscriber })
    return instance
  }

  #left(instance: Instance, subscriber: Subscriber): void {
    const { left } = instance.definition
    if (!left || instance.down) return
    this.#guarded(instance, () => {
      left(instance.state as never, subscriber, this.#turnOf(instance) as never)
      this.#fulfil(instance, this.#recorder.end())
    })
  }

  #call(to: Ref, name: string, request: unknown, withinMs: number, done: (result: Result<unknown>) => void): void {
    const peer = this.#peerOf(to)
    const call = this.#calls.begin(peer, withinMs, done)
    const address = addressOf(to)
    if (peer === this.thread) {
      this.#deliverCall(address, name, this.#local(request), { peer, call }, withinMs)
    } else {
      const refusal = this.#links.send(peer, [wire.CALL, address, name, request, call, withinMs])
      if (refusal) this.#calls.settle(call, refusal)
    }
    this.#schedule()
  }

  #reply(caller: Caller, result: Result<unknown>, by?: Instance): void {
    if (by) assert(by.owed.delete(owedKey(caller)), `${by.address} answers each caller once`)
    if (caller.peer === this.thread) this.#calls.settle(caller.call, this.#local(result))
    else this.#push(caller.peer, [wire.ANSWER, caller.call, result])
  }

  #local<T>(value: T): T {
    return this.#options.packLocally ? wire.travelled(value) : value
  }

  #fulfil(instance: Instance, wishes: Wish[]): void {
    for (const wish of wishes) this.#carryOut(instance, wish)
  }

  #carryOut(instance: Instance, wish: Wish): void {
    switch (wish.did) {
      case 'cast': {
        const peer = this.#peerOf(wish.to)
        if (peer === this.thread) return this.#deliverCast(addressOf(wish.to), wish.name, this.#local(wish.request), peer)
        const refusal = this.#links.send(peer, [wire.CAST, addressOf(wish.to), wish.name, wish.request])
        if (refusal) this.#dropped(`"${wish.name}"`, { to: addressOf(wish.to), why: refusal.why })
        return this.#schedule()
      }
      case 'call':
        return this.#call(wish.to, wish.name, wish.request, wish.withinMs, this.#later(instance, wish.then))
      case 'answer':
        return this.#reply(wish.caller, wish.result, instance)
      case 'subscribe': {
        this.#unsubscribe(instance, wish.name)
        const life = instance.life
        const id = this.#feeds.follow(wish.to, wish.feed, wish.request, (value, index, taken, source) => {
          if (instance.life !== life) return taken()
          this.#guarded(instance, () => this.#enqueue({ ...instance.own(wish.then(value, index)), ...(source && { taken: source }) }))
        })
        instance.subscriptions.set(wish.name, id)
        return
      }
      case 'unsubscribe':
        return this.#unsubscribe(instance, wish.name)
      case 'emit':
        return this.#feeds.emit(wish.subscriber, wish.index, this.#local(wish.value))
      case 'start':
        return this.start(wish.actor, wish.key, wish.args, wish.lane)
      case 'stop':
        return this.stop(wish.actor, wish.key)
      default:
        return fulfilOwn(instance, wish, this.#surroundings)
    }
  }

  /** Makes what happens later a message to the actor, if it is still in the same life. */
  #later<T>(instance: Instance, then: (value: T) => OwnMessage): (value: T) => void {
    const life = instance.life
    return (value) => {
      if (instance.life !== life || instance.ended) return
      this.#guarded(instance, () => this.#enqueue(instance.own(then(this.#local(value)))))
    }
  }

  #unsubscribe(instance: Instance, name: string): void {
    const feed = instance.subscriptions.get(name)
    if (feed === undefined) return
    instance.subscriptions.delete(name)
    this.#feeds.unfollow(feed)
  }

  // ---------------------------------------------------------------- lives

  #startHere(actor: string, key: string, args: unknown): void {
    const definition = this.#definitions.get(actor)
    assert(definition, `the placement table names only actors that exist, "${actor}" too`)
    const ref = { actor, key }
    const address = addressOf(ref)
    const running = this.#instances.get(address)
    const stays = running && this.#guarded(running, () => running.stays(args, this.#turnOf(running)))
    if (stays) return void this.#guarded(running, () => this.#fulfil(running, this.#recorder.end()))
    this.#stopHere(address)
    const instance = new Instance(definition, ref, address, args, this.ports.random(`actor/${address}`), this.ports.clock.monotonicMs())
    this.#instances.set(address, instance)
    this.#build(instance)
    this.#feeds.started(address)
  }

  #stopHere(address: string): void {
    const instance = this.#instances.get(address)
    if (!instance) return
    instance.ended = true
    this.#bury(instance, `${address} was stopped`)
    this.#instances.delete(address)
  }

  #build(instance: Instance): void {
    this.#guarded(instance, () => {
      instance.state = instance.definition.init(instance.args as never, this.#turnOf(instance))
      assert(!isThenable(instance.state), `${instance.address} starts without waiting`)
      this.#fulfil(instance, this.#recorder.end())
    })
  }

  /** Drops the wishes of the failing message, refuses who waits, and rebuilds the actor: at once, then with growing pauses. */
  #crash(instance: Instance, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.ports.print('error', 'kernel', `${instance.address} crashed and is rebuilt`, { error: text })
    this.#bury(instance, `${instance.address} crashed`)
    const pause = instance.crashed(this.ports.clock.monotonicMs())
    if ('tooOften' in pause) return this.#options.fatal(`${instance.address} crashed ${pause.tooOften}, last: ${text.split('\n')[0]}`)
    instance.down = true
    const rebuild = () => {
      if (instance.ended || this.#closed) return
      instance.down = false
      this.#build(instance)
      if (instance.down) return
      this.#feeds.rebuilt(instance)
      for (const envelope of instance.held.splice(0)) this.#queue.push(envelope)
      this.#schedule()
    }
    if (pause.ms === 0) rebuild()
    else this.ports.clock.after(pause.ms, rebuild)
  }

  #bury(instance: Instance, why: string): void {
    instance.clear()
    for (const name of [...instance.subscriptions.keys()]) this.#unsubscribe(instance, name)
    for (const caller of instance.owed.values()) this.#reply(caller, wire.gone(why))
    instance.owed.clear()
  }
}
