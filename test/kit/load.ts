import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { History, type Operation } from '../../sim/history.ts'
import { checkHistory } from '../../sim/models/linearizable.ts'
import type { Agent, Reply } from './agents.ts'

export type LoadOptions = {
  /** Those that may be asked at the moment. */
  agents: () => readonly Pick<Agent, 'http' | 'address'>[]
  clients: number
  keys: number
  /** How long each client rests between two operations. Default: 0. */
  paceMs?: number
}

/** Clients that read and write, each on any agent, until they are told to end. */
export type Load = {
  /** Waits until so many more operations were answered. */
  more(count: number): Promise<void>
  /** Other keys from now on, which keeps each key's history short. */
  turnTo(phase: string): void
  /** The longest time without a write that was answered, since this was asked last. */
  longestPauseMs(): number
  /** How many were answered. */
  answered(): number
  end(): Promise<History>
}

/** What says that a write did not happen. */
const NOT_DONE = ['No cluster leader', 'No known Consul servers']
const OPERATION_WITHIN_MS = 15_000

/** Reads, writes and writes with a condition, on keys `<phase>/0`, `<phase>/1`, … Each value is written once. Ends with the test at the latest. */
export function startLoad(t: Pick<ExecutionContext, 'teardown'>, { agents, clients, keys, paceMs = 0 }: LoadOptions): Load {
  const history = new History()
  /** What a client saw last of a key: only then can it write with a condition. */
  const seen = new Map<string, { value: string | null; index: number }>()
  let [answered, numbers, isOver, phase] = [0, 0, false, 'load']
  let [writtenAtMs, pauseMs] = [performance.now(), 0]
  const waiting = new Set<() => void>()

  async function operate(client: string): Promise<void> {
    const number = numbers++
    const key = `${phase}/${number % keys}`
    const asked = agents()
    const agent = asked[Math.floor(Math.random() * asked.length)]
    if (!agent) return
    const before = seen.get(`${client} ${key}`)
    const kind = number % 5 < 2 ? 'get' : number % 5 < 4 && before ? 'cas' : 'put'
    const operation = history.begin(key, {
      client,
      do: kind === 'get' ? 'get' : 'put',
      value: kind === 'get' ? null : `v${number}`,
      ...(kind === 'cas' && before && { expected: before.value }),
      invokedMs: performance.now(),
    })
    const path = `/v1/kv/${key}${kind === 'cas' ? `?cas=${before?.index}` : ''}`
    const reply = await tryOnce(agent, operation, path)
    if (reply === 'not done') return history.forget(key, operation)
    if (reply === 'unknown') return
    operation.answeredMs = performance.now()
    answered++
    if (kind === 'get') {
      const entry = entryOf(reply)
      operation.outcome = entry.value
      seen.set(`${client} ${key}`, entry)
    } else {
      operation.outcome = reply.text === 'true'
      pauseMs = Math.max(pauseMs, operation.answeredMs - writtenAtMs)
      writtenAtMs = operation.answeredMs
    }
    for (const look of waiting) look()
  }

  const running = Array.from({ length: clients }, async (_, number) => {
    while (!isOver) {
      await operate(`c${number}`)
      await pause(paceMs)
    }
  })
  const stop = () => {
    isOver = true
    return Promise.all(running)
  }
  t.teardown(async () => void (await stop()))
  return {
    more(count) {
      const wanted = answered + count
      return new Promise((resolve) => {
        const look = () => {
          if (answered < wanted) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
      })
    },
    turnTo(next) {
      phase = next
    },
    longestPauseMs() {
      const longestMs = Math.max(pauseMs, performance.now() - writtenAtMs)
      pauseMs = 0
      return longestMs
    },
    answered: () => answered,
    async end() {
      await stop()
      return history
    },
  }
}

/** Reads every key once more at each agent, as clients do, so that what was lost at the end shows too. */
export async function readAll(history: History, agents: readonly Pick<Agent, 'http' | 'address'>[]): Promise<void> {
  for (const [key] of history.operations) {
    for (const agent of agents) {
      const operation = history.begin(key, { client: agent.address, do: 'get', value: null, invokedMs: performance.now() })
      const reply = await agent.http('GET', `/v1/kv/${key}`)
      if (reply.status !== 200 && reply.status !== 404) throw new Error(`reading ${key} at ${agent.address}: ${reply.status} ${reply.text}`)
      operation.answeredMs = performance.now()
      operation.outcome = entryOf(reply).value
    }
  }
}

/** What is wrong with a history: keys whose operations fit no order, or are too tangled to say. */
export function faultsOf(history: History): string[] {
  return [...history.operations].flatMap(([key, operations]) => {
    const { fault, gaveUp } = checkHistory(operations)
    return fault === undefined && !gaveUp ? [] : [`${key}: ${gaveUp ? `too tangled: ${operations.length} operations` : fault}`]
  })
}

/** The answer; or that it did not happen, or that nobody knows. */
async function tryOnce(agent: Pick<Agent, 'http'>, { do: what, value }: Operation, path: string): Promise<Reply | 'not done' | 'unknown'> {
  const isRead = what === 'get'
  const asking = agent.http(isRead ? 'GET' : 'PUT', path, value ?? undefined, OPERATION_WITHIN_MS)
  const reply = await asking.catch((error: NodeJS.ErrnoException) => error)
  if (reply instanceof Error) return isRead || reply.code === 'ECONNREFUSED' ? 'not done' : 'unknown'
  if (reply.status === 200 || (isRead && reply.status === 404)) return reply
  return isRead || NOT_DONE.includes(reply.text) ? 'not done' : 'unknown'
}

function entryOf({ status, text }: Reply): { value: string | null; index: number } {
  if (status === 404) return { value: null, index: 0 }
  const [entry] = JSON.parse(text) as { Value: string; ModifyIndex: number }[]
  return { value: Buffer.from(entry?.Value ?? '', 'base64').toString(), index: entry?.ModifyIndex ?? 0 }
}
