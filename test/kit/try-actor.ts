import type { Actor } from '../../src/kernel/actor.ts'
import type { DeviceEvent, DeviceName, DeviceOutcome, Random } from '../../src/kernel/ports.ts'
import {
  type AnswerOf,
  type Caller,
  type CallsOf,
  type CastsOf,
  type FeedsOf,
  LATER,
  type RequestOf,
  type Subscriber,
  type ValueOf,
} from '../../src/kernel/protocol.ts'
import { assert, type Result, refuse } from '../../src/kernel/refusal.ts'
import { travelled } from '../../src/kernel/wire.ts'
import { type OwnMessage, Recorder, type Wish } from '../../src/kernel/wishes.ts'
import { emptyTables, type TestTables } from './tables.ts'

export type TryOptions<Args> = {
  args: Args
  nowMs?: number
  node?: string
  key?: string
  seed?: number
  /** What the actor sees and, with `commits: 'apply'`, what its commands change. Empty if not given. */
  tables?: TestTables
  /** 'apply' (as usual): commands are applied and answered at once. 'keep': they stay among the effects until `answer('commit', …)`. */
  commits?: 'apply' | 'keep'
}

/** One thing the actor wished for, without the functions in it. A call to the ledger is a `commit`. */
export type Effect =
  | { did: 'cast'; to: string; name: string; request: unknown }
  | { did: 'call'; to: string; name: string; request: unknown; withinMs: number }
  | { did: 'commit'; kind: string; request: unknown }
  | { did: 'answer'; call: number; result: unknown }
  | { did: 'subscribe'; name: string; to: string; feed: string; request: unknown }
  | { did: 'unsubscribe'; name: string }
  | { did: 'emit'; feed: number; index: number; value: unknown }
  | { did: 'start'; actor: string; key: string; args: unknown }
  | { did: 'stop'; actor: string; key: string }
  | { did: 'act'; device: DeviceName; request: unknown }
  | { did: 'print'; level: string; line: string; facts?: Record<string, unknown> }

/** The outcome of a call to the actor. `result` is undefined while it has not answered. */
export type TriedCall<Answer> = { readonly call: number; readonly result: Result<Answer> | undefined }
export type TriedFeed<Value> = { readonly feed: number; readonly subscriber: Subscriber<Value>; readonly values: Value[]; index: number }

/**
 * One actor without a host: messages in, wishes out, a clock that only `wait` moves. After each step everything that the actor
 * sent itself is delivered too. Requests, answers and values make the journey through the codec.
 */
export function tryActor<P, Own, State, Args>(actor: Actor<P, Own, State, Args>, options: TryOptions<Args>) {
  const { node = 'n1', key = '', seed = 1, tables = emptyTables(), commits = 'apply' } = options
  const handlers = actor.on as Record<string, (state: State, request: unknown, turn: unknown, from?: unknown) => unknown>
  const self = { actor: actor.name, key }
  const recorder = new Recorder()
  const random = seeded(seed)
  const timers = new Map<string, { atMs: number; order: number; message: OwnMessage }>()
  const wakes = new Map<string, { forget: () => void }>()
  const subscriptions = new Map<string, Extract<Wish, { did: 'subscribe' }>>()
  const calls: (Extract<Wish, { did: 'call' }> & { deadlineMs: number })[] = []
  const acts: Extract<Wish, { did: 'act' }>[] = []
  const devices: Extract<Wish, { did: 'act' }>[] = []
  const mine = new Map<number, { call: number; result: Result<unknown> | undefined }>()
  const feeds = new Map<number, TriedFeed<unknown>>()
  const queue: OwnMessage[] = []
  const counters = new Map<string, number>()
  const measured = new Map<string, number[]>()
  let effects: Effect[] = []
  let nowMs = options.nowMs ?? 0
  let last = 0
  let state = turn(() => actor.init(travelled(options.args), recorder as never))
  run()

  /** Runs one handler and carries out what concerns nobody else. */
  function turn<R>(work: () => R): R {
    recorder.begin({ nowMs, random, self, node, view: tables.view() })
    const result = work()
    for (const wish of recorder.end()) carryOut(wish)
    return result
  }

  function run(): void {
    for (let message = queue.shift(); message; message = queue.shift()) deliver(message)
  }

  function deliver({ name, request }: OwnMessage): void {
    const handler = handlers[name]
    assert(handler, `${actor.name} handles "${name}"`)
    turn(() => handler(state, request, recorder))
  }

  function carryOut(wish: Wish): void {
    switch (wish.did) {
      case 'call':
        if (wish.to.actor === 'ledger' && wish.name === 'commit') return propose(wish)
        calls.push({ ...wish, request: travelled(wish.request), deadlineMs: nowMs + wish.withinMs })
        return note(effectOfCall(wish))
      case 'cast':
        return note({ did: 'cast', to: nameOf(wish.to), name: wish.name, request: travelled(wish.request) })
      case 'answer':
        return settle(wish.caller.call, wish.result)
      case 'subscribe':
        subscriptions.set(wish.name, wish)
        return note({ did: 'subscribe', name: wish.name, to: nameOf(wish.to), feed: wish.feed, request: travelled(wish.request) })
      case 'unsubscribe':
        subscriptions.delete(wish.name)
        return note({ did: 'unsubscribe', name: wish.name })
      case 'emit': {
        const feed = feeds.get(wish.subscriber.feed)
        if (feed) feed.index = wish.index
        feed?.values.push(travelled(wish.value))
        return note({ did: 'emit', feed: wish.subscriber.feed, index: wish.index, value: travelled(wish.value) })
      }
      case 'wake':
        wakes.get(wish.name)?.forget()
        wakes.set(wish.name, {
          forget: tables.wait(wish.reads, () => {
            wakes.delete(wish.name)
            queue.push(wish.message)
          }),
        })
        return
      case 'unwake':
        wakes.get(wish.name)?.forget()
        wakes.delete(wish.name)
        return
      case 'timer':
        timers.set(wish.name, { atMs: nowMs + wish.afterMs, order: ++last, message: wish.message })
        return
      case 'cancel':
        timers.delete(wish.name)
        return
      case 'act':
        acts.push(wish)
        devices.push(wish)
        return note({ did: 'act', device: wish.device, request: travelled(wish.request) })
      case 'again':
        queue.push(wish.message)
        return
      case 'print':
        return note({ did: 'print', level: wish.level, line: wish.line, ...(wish.facts && { facts: wish.facts }) })
      case 'count':
        counters.set(wish.metric, (counters.get(wish.metric) ?? 0) + wish.by)
        return
      case 'measure':
        measured.set(wish.metric, [...(measured.get(wish.metric) ?? []), wish.value])
        return
      default:
        return note(wish)
    }
  }

  function propose(wish: Extract<Wish, { did: 'call' }>): void {
    const command = travelled(wish.request) as { kind: string; atMs: number; request: unknown }
    note({ did: 'commit', kind: command.kind, request: command.request })
    if (commits === 'keep') calls.push({ ...wish, request: command, deadlineMs: nowMs + wish.withinMs })
    else queue.push(wish.then(travelled(tables.apply([command])[0]) as Result<unknown>))
  }

  function note(effect: Effect): void {
    effects.push(effect)
  }

  function settle(call: number, result: unknown): void {
    const waiting = mine.get(call)
    assert(waiting && waiting.result === undefined, `${actor.name} answers each caller once`)
    waiting.result = travelled(result) as Result<unknown>
    note({ did: 'answer', call, result: waiting.result })
  }

  return {
    get state(): State {
      return state
    },
    get nowMs(): number {
      return nowMs
    },
    tables,
    counters,
    measured,

    /** Asks as somebody else would. The answer may come in a later step: look at `result` then. */
    call<N extends CallsOf<P>>(name: N, request: RequestOf<P[N]>): TriedCall<AnswerOf<P[N]>> {
      const waiting: { call: number; result: Result<unknown> | undefined } = { call: ++last, result: undefined }
      mine.set(waiting.call, waiting)
      const caller: Caller = { peer: 0, call: waiting.call }
      const result = turn(() => handlers[name]!(state, travelled(request), recorder, caller))
      if (result !== LATER) settle(waiting.call, result)
      run()
      return waiting as TriedCall<AnswerOf<P[N]>>
    },

    cast<N extends CastsOf<P>>(name: N, request: RequestOf<P[N]>): void {
      deliver({ name, request: travelled(request) })
      run()
    },

    /** Takes one of the actor's feeds. All its values are in `values`. */
    subscribe<N extends FeedsOf<P>>(name: N, request: RequestOf<P[N]>): TriedFeed<ValueOf<P[N]>> {
      const subscriber: Subscriber = { peer: 0, feed: ++last }
      const feed: TriedFeed<unknown> = { feed: subscriber.feed, subscriber, values: [], index: 0 }
      feeds.set(feed.feed, feed)
      turn(() => handlers[name]!(state, travelled(request), recorder, subscriber))
      run()
      return feed as TriedFeed<ValueOf<P[N]>>
    },

    /** A subscriber goes away. */
    leave(feed: TriedFeed<never>): void {
      feeds.delete(feed.feed)
      turn(() => actor.left?.(state, feed.subscriber, recorder as never))
      run()
    },

    /** Delivers one of the actor's private messages. */
    own<N extends keyof Own & string>(name: N, request: RequestOf<Own[N]>): void {
      deliver({ name, request })
      run()
    },

    /** Everything wished for since the last look. */
    effects(): Effect[] {
      const seen = effects
      effects = []
      return seen
    },

    /** Calls of the actor that wait for an answer, oldest first. */
    pending(): Effect[] {
      return calls.map(effectOfCall)
    },

    /** Answers the oldest waiting call of that name. */
    answer(name: string, result: unknown): void {
      const at = calls.findIndex((call) => call.name === name)
      assert(at >= 0, `${actor.name} waits for an answer to "${name}"`)
      queue.push(calls.splice(at, 1)[0]!.then(travelled(result) as Result<unknown>))
      run()
    },

    /** What a device asked first (of those that have no outcome yet) came to. `which` picks one by its request. */
    outcome<D extends DeviceName>(device: D, result: Result<DeviceOutcome<D>>, which: (request: never) => boolean = () => true): void {
      const at = acts.findIndex((act) => act.device === device && which(act.request as never))
      assert(at >= 0, `${actor.name} waits for the device "${device}"`)
      const act = acts.splice(at, 1)[0]!
      if (act.then) queue.push(act.then(travelled(result)))
      run()
    },

    /** Requests to a device that have no outcome yet. */
    acts(device: DeviceName): unknown[] {
      return acts.filter((act) => act.device === device).map((act) => act.request)
    },

    /** Something happens to what was asked of a device; to the newest request unless `which` picks another. */
    event<D extends DeviceName>(device: D, event: DeviceEvent<D>, which: (request: never) => boolean = () => true): void {
      const act = devices.findLast((one) => one.device === device && one.on && which(one.request as never))
      assert(act?.on, `${actor.name} listens to the device "${device}"`)
      queue.push(act.on(travelled(event)))
      run()
    },

    /** A value of a feed that the actor takes, by its own name for it. */
    value(subscription: string, value: unknown, index = 1): void {
      const wish = subscriptions.get(subscription)
      assert(wish, `${actor.name} takes the feed "${subscription}"`)
      queue.push(wish.then(travelled(value), index))
      run()
    },

    subscriptions(): string[] {
      return [...subscriptions.keys()]
    },

    timers(): string[] {
      return [...timers.keys()]
    },

    /** Changes the tables as somebody else would, and delivers what that wakes. */
    commit(kind: string, request: unknown): Result<unknown> {
      const outcome = tables.apply([{ kind, atMs: nowMs, request }])[0] as Result<unknown>
      run()
      return outcome
    },

    /** Lets time pass: timers fire and calls run out in order. */
    wait(ms: number): void {
      const untilMs = nowMs + ms
      for (;;) {
        const due = [...timers].filter(([, { atMs }]) => atMs <= untilMs).sort(([, a], [, b]) => a.atMs - b.atMs || a.order - b.order)[0]
        const lateAt = calls.findIndex(({ deadlineMs }) => deadlineMs <= (due?.[1].atMs ?? untilMs))
        if (lateAt >= 0) {
          const late = calls.splice(lateAt, 1)[0]!
          nowMs = Math.max(nowMs, late.deadlineMs)
          queue.push(late.then(refuse('late', 'no answer before the deadline')))
        } else if (due) {
          timers.delete(due[0])
          nowMs = Math.max(nowMs, due[1].atMs)
          queue.push(due[1].message)
        } else break
        run()
      }
      nowMs = untilMs
    },

    /** Sets the clock: timers and deadlines go on as they were. */
    setClock(byMs: number): void {
      nowMs += byMs
      for (const timer of timers.values()) timer.atMs += byMs
      for (const call of calls) call.deadlineMs += byMs
    },

    /** Whether it goes on when it is started with other arguments while it runs. What it wishes for then is carried out. */
    startAgain(args: Args): boolean {
      recorder.begin({ nowMs, random, self, node, view: tables.view() })
      const stays = actor.stays?.(state, travelled(args), recorder as never) ?? false
      const wishes = recorder.end()
      if (stays) for (const wish of wishes) carryOut(wish)
      run()
      return stays
    },

    /** Throws the state away and builds it anew, as after a crash. */
    restart(): void {
      timers.clear()
      for (const { forget } of wakes.values()) forget()
      wakes.clear()
      calls.length = 0
      acts.length = 0
      devices.length = 0
      state = turn(() => actor.init(travelled(options.args), recorder as never))
      run()
    },
  }
}

function effectOfCall({ to, name, request, withinMs }: Extract<Wish, { did: 'call' }>): Effect {
  if (to.actor !== 'ledger' || name !== 'commit') return { did: 'call', to: nameOf(to), name, request, withinMs }
  const command = request as { kind: string; request: unknown }
  return { did: 'commit', kind: command.kind, request: command.request }
}

function nameOf({ actor, key }: { actor: string; key: string }): string {
  return key === '' ? actor : `${actor}/${key}`
}

/** A small generator (mulberry32): equal seeds give equal sequences. */
export function seeded(seed: number): Random {
  let at = seed >>> 0
  const next = () => {
    at = (at + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(at ^ (at >>> 15), at | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
  return {
    next,
    int: (from, to) => from + Math.floor(next() * (to - from + 1)),
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${'89ab'[Math.floor(next() * 4)]}${hex(3)}-${hex(12)}`,
  }
}
