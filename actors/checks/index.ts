import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { HealthStatus, ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { type Cast, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { same } from '../catalog/same.ts'
import type { CheckDefinition } from '../definitions.ts'
import { localRef } from '../local/protocol.ts'

/** Nobody asks this actor: it looks at what the local registrations want looked at. */
export type ChecksProtocol = object
type ChecksOwn = {
  wanted: Cast<{ checks: readonly CheckDefinition[] }>
  run: Cast<{ checkId: string }>
  looked: Cast<{ checkId: string; run: number; result: Result<ProbeOutcome> }>
}

type Running = {
  definition: CheckDefinition
  /** Tells runs of one definition from those of a later one with the same id. */
  run: number
  /** Results of one kind in a row; both begin as if there had been enough. */
  successes: number
  failures: number
}
type ChecksState = { running: Map<string, Running>; runs: number }

const INTERVAL_MS_MIN = 1_000
const NETWORK_TIMEOUT_MS = 10_000
const SCRIPT_TIMEOUT_MS = 30_000

export const checksRef = refOf<ChecksProtocol>('checks')

/** Looks at each check that is not `ttl` or `alias` at its interval, first after a random part of it, and tells what it saw. */
export const checks = defineActor<ChecksProtocol, ChecksOwn, ChecksState>({
  name: 'checks',
  mailboxMax: 16_384,
  init(_args, turn) {
    turn.subscribe('checks', localRef, 'checks', null, (value) => ({ name: 'wanted', request: { checks: value } }))
    return { running: new Map(), runs: 0 }
  },
  on: {
    wanted(state, { checks: wanted }, turn) {
      const ids = new Set(wanted.map(({ id }) => id))
      for (const id of [...state.running.keys()]) {
        if (ids.has(id)) continue
        state.running.delete(id)
        turn.cancel(`run/${id}`)
      }
      for (const definition of wanted) if (!same(state.running.get(definition.id)?.definition, definition)) begin(state, turn, definition)
    },

    run(state, { checkId }, turn) {
      const running = state.running.get(checkId)
      if (!running) return
      const { run, definition } = running
      turn.act('probes', probeOf(definition), { then: (result) => ({ name: 'looked', request: { checkId, run, result } }) })
    },

    looked(state, { checkId, run, result }, turn) {
      const running = state.running.get(checkId)
      if (running?.run !== run) return
      turn.timer(`run/${checkId}`, intervalOf(running.definition), { name: 'run', request: { checkId } })
      const { status, output } = isRefused(result) ? { status: 'critical' as const, output: result.why } : result
      if (isEnough(running, status)) turn.cast(localRef, 'checked', { checkId, status, output })
    },
  },
})

function begin(state: ChecksState, turn: Turn<ChecksOwn>, definition: CheckDefinition): void {
  const { id, intervalMs, successBeforePassing, failuresBeforeCritical } = definition
  if (intervalMs < INTERVAL_MS_MIN) {
    turn.print('warn', `Check has interval below minimum of ${INTERVAL_MS_MIN / 1_000}s`, { check: id, intervalMs })
  }
  state.running.set(id, { definition, run: ++state.runs, successes: successBeforePassing, failures: failuresBeforeCritical })
  turn.timer(`run/${id}`, turn.random.int(0, intervalOf(definition)), { name: 'run', request: { checkId: id } })
}

function intervalOf({ intervalMs }: CheckDefinition): number {
  return Math.max(intervalMs, INTERVAL_MS_MIN)
}

/** Counts the result; whether there were enough like it in a row for it to count. Source: Consul's thresholds. */
function isEnough(running: Running, status: HealthStatus): boolean {
  if (status === 'critical') {
    running.failures++
    running.successes = 0
    return running.failures >= running.definition.failuresBeforeCritical
  }
  running.successes++
  running.failures = 0
  return running.successes >= running.definition.successBeforePassing
}

function probeOf(definition: CheckDefinition): ProbeRequest {
  const { type, args, tlsServerName, tlsSkipVerify, outputMaxSize: outputMax } = definition
  const isProgram = type === 'script' || type === 'docker'
  const timeoutMs = definition.timeoutMs || (isProgram ? SCRIPT_TIMEOUT_MS : NETWORK_TIMEOUT_MS)
  if (type === 'script') return { kind: 'script', args, timeoutMs, outputMax, env: {} }
  if (type === 'docker') return { kind: 'docker', container: definition.dockerContainerId, args, timeoutMs, outputMax }
  if (type === 'tcp') return { kind: 'tcp', address: definition.tcp, timeoutMs }
  const tls = { tlsServerName, tlsSkipVerify }
  if (type === 'h2ping') return { kind: 'h2ping', address: definition.h2ping, timeoutMs, ...tls }
  if (type === 'grpc') return { kind: 'grpc', target: definition.grpc, timeoutMs, useTls: definition.grpcUseTls, ...tls }
  const { http: url, header: headers, body, disableRedirects } = definition
  return { kind: 'http', url, method: definition.method || 'GET', headers, body, timeoutMs, outputMax, ...tls, disableRedirects }
}
