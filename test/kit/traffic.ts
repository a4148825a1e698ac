import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { ask } from './agents.ts'

/** A request after the other, each on a connection of its own, until it is told to end. */
export type Traffic = {
  /** How many were answered so far. */
  answered(): number
  /** `failed`: what came in place of an answer, and when. */
  end(): Promise<{ requests: number; slowestMs: number; failed: string[] }>
}

const PACE_MS = 10
const ANSWER_WITHIN_MS = 30_000

/** Asks whoever listens on a port of this machine, until the test ends at the latest. */
export function startTraffic(t: Pick<ExecutionContext, 'teardown'>, port: number): Traffic {
  const began = performance.now()
  const failed: string[] = []
  let [requests, slowestMs, isOver] = [0, 0, false]
  const request = async () => {
    const askedMs = performance.now()
    const outcome = await ask(`http://127.0.0.1:${port}/`, 'GET', undefined, ANSWER_WITHIN_MS).then(({ status }) => status, String)
    if (outcome === 200) requests++
    else failed.push(`after ${Math.round(askedMs - began)} ms: ${outcome}`)
    slowestMs = Math.max(slowestMs, performance.now() - askedMs)
  }
  const running = (async () => {
    while (!isOver) {
      await request()
      await pause(PACE_MS)
    }
  })()
  const stop = () => {
    isOver = true
    return running
  }
  t.teardown(stop)
  return {
    answered: () => requests,
    async end() {
      await stop()
      return { requests, slowestMs, failed }
    },
  }
}
