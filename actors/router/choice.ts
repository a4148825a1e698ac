import type { Random } from '../../src/kernel/ports.ts'
import { shuffled } from '../../src/kernel/shuffled.ts'

/** Once all servers were tried in vain, they are tried again after this, and then after longer and longer. */
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 10_000

/** Which of several servers is used, and which ones are tried when it fails. */
export type Choice = {
  /** In the order in which they are tried; the one in use is among them. */
  servers: string[]
  used: string | undefined
  trying: string | undefined
  /** Still to be tried before there is a pause. */
  left: number
  pauseMs: number
  isPausing: boolean
  /** A server has come since one was chosen: without that all are used alike already. */
  hasGained: boolean
}

/** What is to be done: a server is tried, all are tried again after a while, or there is none. */
export type Step = { do: 'try'; node: string } | { do: 'pause'; forMs: number } | { do: 'none' } | { do: 'nothing' }

export function newChoice(): Choice {
  return { servers: [], used: undefined, trying: undefined, left: 0, pauseMs: RETRY_MS_MIN, isPausing: false, hasGained: false }
}

/** From now on there are these. New ones take a random place among the others, which keep theirs. Answers whether there are any. */
export function know(choice: Choice, random: Random, names: readonly string[]): boolean {
  const known = new Set(choice.servers)
  choice.servers = choice.servers.filter((name) => names.includes(name))
  for (const name of names) {
    if (known.has(name)) continue
    choice.servers.splice(random.int(0, choice.servers.length), 0, name)
    if (choice.used !== undefined) choice.hasGained = true
  }
  return names.some((name) => !known.has(name))
}

/** Whether the servers that there are now have to be tried. `hasMore`: there are some that were not there before. */
export function isOpen({ trying, used, servers, isPausing }: Choice, hasMore: boolean): boolean {
  if (trying !== undefined || (used !== undefined && servers.includes(used))) return false
  return hasMore || !isPausing
}

/** All servers are to be tried, one after the other. A pause is over. */
export function begin(choice: Choice): Step {
  choice.isPausing = false
  choice.left = choice.servers.length
  return next(choice)
}

/** What follows when the one that was tried cannot be used. */
export function next(choice: Choice): Step {
  const node = choice.servers[0]
  if (node === undefined) return { do: choice.used === undefined ? 'none' : 'nothing' }
  if (choice.left === 0) {
    if (choice.used !== undefined) return { do: 'nothing' }
    const forMs = choice.pauseMs
    choice.isPausing = true
    choice.pauseMs = Math.min(RETRY_MS_MAX, forMs * 2)
    return { do: 'pause', forMs }
  }
  choice.left--
  choice.servers = [...choice.servers.slice(1), node]
  choice.trying = node
  return { do: 'try', node }
}

/** The one that was tried is used from now on. */
export function take(choice: Choice, node: string): void {
  choice.used = node
  choice.left = 0
  choice.pauseMs = RETRY_MS_MIN
}

/** Another server is to be used if chance says so, and if one has come since: the one in use stays until the other one is reached. */
export function rebalance(choice: Choice, random: Random): Step {
  if (!choice.hasGained || choice.used === undefined || choice.trying !== undefined) return { do: 'nothing' }
  choice.hasGained = false
  choice.servers = shuffled(choice.servers, () => random.next())
  if (choice.servers[0] === choice.used) return { do: 'nothing' }
  choice.left = 1
  return next(choice)
}
