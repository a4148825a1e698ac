import { randomUUID } from 'node:crypto'
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'
import type { Device, Devices, LogOutcome, LogRequest, Ports } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { createReplica, type ReplicaOptions } from '../../src/replica.ts'
import { append, GIVE_UP_MS, LATE_MS, NO_LEADER } from './appender.ts'
import type { Etcd } from './client.ts'
import { type Piece, packEntry, piecesOf } from './entry.ts'
import { createFence } from './fence.ts'
import { Follower, type Place } from './follower.ts'
import type { EtcdKeys } from './keys.ts'
import { joinLog } from './origin.ts'
import { createRestores } from './restore.ts'
import { holdSession } from './session.ts'
import { takeTables } from './take.ts'
import { clearReplaced, giveTables, receiveTables, type TransferOptions } from './transfer.ts'
import { Upkeep } from './upkeep.ts'

export type EtcdLogOptions = Omit<ReplicaOptions, 'after'> & {
  etcd: Etcd
  keys: EtcdKeys
  /** The server's id. */
  id: string
  clock: Ports['clock']
  print: Ports['print']
  /** What a server proposes once it leads. */
  leads: () => LogRequest['commands']
  /** The log cannot be followed any further. */
  failed(error: unknown): void
  /** Without these, the server neither gives its tables to others nor takes theirs. */
  files?: Pick<TransferOptions, 'snapshots' | 'newPath'>
  /** How long entries stay in etcd at least. Default: two minutes. */
  retainMs?: number
  /** How long a read waits for etcd to answer. */
  holdMs: number
}

export type EtcdLog = Device<LogRequest, LogOutcome> & {
  /** In the place of the one that was given: what is restored through it is restored on all servers. */
  readonly snapshots: Devices['snapshots'] | undefined
  /** Ends once the lease was given back, if etcd can be reached. */
  close(): Promise<void>
}

type Done = (outcome: Result<LogOutcome>) => void

const RETAIN_MS = 120_000
const RETRY_MS = 100
const NOTHING: LogOutcome = { outcomes: [], notice: { index: 0, touched: [] } }
const BEHIND = refuse('busy', 'the server that gave its tables is behind this one')
const ENDED = refuse('gone', 'the agent is stopping')

/**
 * A log that several servers share through etcd: one entry for each group, applied by every server in order. An empty group is no
 * entry: it is answered once everything is visible here that was in the log when it was proposed.
 */
export function etcdLog(options: EtcdLogOptions): EtcdLog {
  const { etcd, keys, id, tables, apply, onCommitted, clock, print, leads, failed, files } = options
  const { retainMs = RETAIN_MS, holdMs } = options
  const ended = new AbortController()
  const transfer = files && { etcd, keys, clock, ...files, ended: ended.signal }
  let isMissing = false
  const restores = files && createRestores({ etcd, keys, ...files, tables, print, ended: ended.signal })
  const replica = createReplica({
    tables,
    apply: files ? applyWhole : apply,
    onCommitted,
    after: (ms, work) => clock.after(ms, work),
    refused,
  })
  const fence = createFence({ etcd, keys, clock })
  const joined = Promise.withResolvers<Follower>()
  let follower: Follower | undefined
  const waiting: { commands: LogRequest['commands']; done: Done }[] = []
  const life = randomUUID()
  let proposals = 0
  let isAppending = false
  /** Who waits until the newest position is asked for again. */
  let asking: Done[] = []
  let isAsking = false

  async function start(): Promise<void> {
    const from = await joinLog({ etcd, keys, tables, print, missed, ended: ended.signal })
    if (ended.signal.aborted) return
    if (isRefused(from)) return failed(new Error(from.why))
    replica.moved()
    follower = new Follower({ etcd, keys, replica, from, print, missed, restores, failed })
    joined.resolve(follower)
    void follower.run()
    const give = async () => (isMissing ? undefined : transfer && giveTables(transfer, id))
    const housekeeping = new Upkeep({ etcd, keys, id, follower, durable: () => replica.durable().mark, clock, print, retainMs, give })
    const upkeep = (lease: bigint, leads: boolean) => housekeeping.run(lease, leads)
    await holdSession({ etcd, keys, id, clock, print, elected, upkeep }, ended.signal)
  }

  /** Puts the tables of another server in the place of these. */
  async function missed(from: Place): Promise<Result<Place>> {
    if (!transfer) return refuse('gone', 'etcd does not have all entries any more that this server lacks')
    isMissing = true
    print('info', 'log', 'Entries that this server lacks are not in etcd any more: it asks the others for their tables', {
      from: from.position,
    })
    const received = await receiveTables(transfer)
    const place = isRefused(received) || received.position > from.position ? received : BEHIND
    const taken = isRefused(place) ? place : await takeTables(tables, place)
    isMissing = false
    if (isRefused(taken)) {
      print('warn', 'log', 'The tables of the others could not be had', { error: taken.why })
      return taken
    }
    replica.moved()
    onCommitted(taken.notice)
    void clearReplaced(transfer.snapshots, print)
    print('info', 'log', 'The tables of another server were taken', { position: taken.place.position })
    return taken.place
  }

  /** Servers that apply an entry in different ways are not the same any more: rather none than one that has not what it names. */
  function applyWhole(tx: Parameters<typeof apply>[0], commands: LogRequest['commands']): LogOutcome {
    const lacking = restores?.lacking(commands)
    assert(lacking === undefined, `snapshot ${lacking} is loaded before the entry that takes it`)
    return apply(tx, commands)
  }

  function refused(refusal: Refusal | undefined): void {
    if (refusal) print('error', 'log', 'This server cannot take what the others write, and falls behind', { error: refusal.why })
    else print('info', 'log', 'This server takes again what the others write')
  }

  function elected(): void {
    print('info', 'log', 'This server leads the cluster')
    propose(leads(), (outcome) => {
      if (isRefused(outcome)) print('warn', 'log', 'The cluster was not told who leads', { error: outcome.why })
    })
  }

  function propose(commands: LogRequest['commands'], done: Done): void {
    if (ended.signal.aborted) return done(ENDED)
    if (commands.length > 0) {
      waiting.push({ commands, done })
      if (!isAppending) void appendAll().catch(failed)
    } else {
      asking.push(done)
      if (!isAsking) void catchUpAll().catch(failed)
    }
  }

  /** Nothing if etcd could not be reached since the start. */
  async function ready(withinMs: number): Promise<Follower | undefined> {
    // The timer listens for the end until it has passed: with one for each group there would soon be thousands.
    if (follower) return follower
    const tooLong = pause(withinMs, undefined, { signal: ended.signal }).catch(() => undefined)
    return Promise.race([joined.promise, tooLong])
  }

  async function appendAll(): Promise<void> {
    isAppending = true
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const outcome = await appendGroup(next.commands)
      if (!ended.signal.aborted) next.done(outcome)
    }
    isAppending = false
  }

  async function appendGroup(commands: LogRequest['commands']): Promise<Result<LogOutcome>> {
    const pieces = piecesOf(commands)
    if (isRefused(pieces)) return pieces
    const follower = await ready(GIVE_UP_MS)
    if (!follower) return NO_LEADER
    const outcomes: Result<LogOutcome>[] = []
    for (const piece of pieces) {
      const before = outcomes.at(-1)
      const proposal = `${life}/${++proposals}`
      const isOver = before !== undefined && isRefused(before)
      outcomes.push(isOver ? NO_LEADER : await append({ keys, fence, clock, follower }, proposal, packEntry(proposal, piece)))
    }
    return outcomes.length === 1 ? (outcomes[0] as Result<LogOutcome>) : joinedOutcome(pieces, outcomes)
  }

  async function catchUpAll(): Promise<void> {
    isAsking = true
    while (asking.length > 0) {
      // Those who come in the same turn of the thread share the question.
      await turn()
      const askers = asking
      asking = []
      const giveUpAtMs = clock.monotonicMs() + holdMs
      const head = (await ready(holdMs)) ? await newest(giveUpAtMs) : NO_LEADER
      for (const done of askers) {
        if (isRefused(head)) done(head)
        else whenVisible(head, done)
      }
    }
    isAsking = false
  }

  /** The newest position at some moment after this was called. */
  async function newest(giveUpAtMs: number): Promise<Result<number>> {
    for (;;) {
      const answer = await etcd.range({ key: keys.log, keysOnly: true })
      if (!isRefused(answer)) return answer.found[0]?.version ?? 0
      if (clock.monotonicMs() >= giveUpAtMs || ended.signal.aborted) return NO_LEADER
      await pause(RETRY_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  }

  function whenVisible(head: number, done: Done): void {
    if (follower === undefined) return done(NO_LEADER)
    if (follower.visible.position >= head) return done(NOTHING)
    const cancel = clock.after(LATE_MS, () => {
      forget()
      done(refuse('busy', `this server has the log up to entry ${follower?.visible.position} of ${head}`))
    })
    const forget = follower.whenVisible(head, () => {
      cancel()
      done(NOTHING)
    })
  }

  const session = start().catch(failed)
  return {
    perform: ({ commands }, done) => propose(commands, done),
    snapshots: restores?.device,
    async close() {
      ended.abort()
      follower?.end()
      replica.end()
      await session
      etcd.close()
    },
  }
}

/** The outcome of a group that was several entries. The commands of those that were refused are refused one by one. */
function joinedOutcome(pieces: readonly Piece[], results: readonly Result<LogOutcome>[]): Result<LogOutcome> {
  const first = results[0]
  if (first === undefined || isRefused(first)) return first ?? NOTHING
  const outcomes = results.flatMap((result, at) =>
    isRefused(result) ? Array<Result<unknown>>(pieces[at]?.count ?? 0).fill(result) : result.outcomes,
  )
  const happened = results.filter((result): result is LogOutcome => !isRefused(result))
  return { outcomes, notice: { index: happened.at(-1)?.notice.index ?? 0, touched: happened.flatMap(({ notice }) => notice.touched) } }
}
