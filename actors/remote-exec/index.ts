import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { ProgramOutcome } from '../../src/kernel/ports.ts'
import type { Cast } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { kvRef } from '../kv/index.ts'
import { COMMIT_WITHIN_MS } from '../ledger.ts'
import { type Job, type JobPlace, jobOf, keyOf, outputName, placeOf } from './job.ts'
import type { RemoteExecArgs, RemoteExecProtocol } from './protocol.ts'

type RemoteExecOwn = {
  /** Looks for what is to be run; servers that are behind may not have it yet. */
  look: Cast<{ run: number; looks: number }>
  looked: Cast<{ run: number; looks: number; result: Result<{ value: Uint8Array | null }> }>
  acknowledged: Cast<{ run: number; written: Written }>
  started: Cast<{ run: number; outcome: Result<ProgramOutcome> }>
  read: Cast<{ run: number; outcome: Result<ProgramOutcome> }>
  told: Cast<{ run: number; written: Written; exitCode: number | undefined }>
  finished: Cast<{ run: number; written: Written }>
}
type Written = Result<{ applied: boolean }>

type Run = {
  place: JobPlace
  job: Job | undefined
  program: number | undefined
  /** Pieces of output that were written. */
  pieces: number
}
type RemoteExecState = RemoteExecArgs & { runs: Map<number, Run>; count: number }
type RemoteExecTurn = Turn<RemoteExecOwn>

/** One more is not taken. */
const RUNS_MAX = 64
const LOOKS_MAX = 10
const LOOK_EVERY_MS = 500
/** Output is written in pieces of this length, or what there is after so long. */
const PIECE_BYTES_MAX = 4_096
const PIECE_AFTER_MS = 500
/** Told when a program could not be run or listened to until its end. */
const EXIT_FAILED = 255

/**
 * Runs a job once it is asked for: acknowledges it, writes what its program writes, a piece at a time, and its exit code. Every key is
 * locked with the job's session, so that all goes when the session does; when that is gone, the program ends too.
 */
export const remoteExec = defineActor<RemoteExecProtocol, RemoteExecOwn, RemoteExecState, RemoteExecArgs>({
  name: 'remote-exec',
  mailboxMax: 4_096,
  init(args, turn) {
    // What a crash has left running has nobody to tell.
    if (args.enabled) turn.act('programs', { do: 'end-all' })
    return { ...args, runs: new Map(), count: 0 }
  },
  on: {
    asked(state, { id, payload }, turn) {
      if (!state.enabled) return turn.print('info', 'ignoring remote exec event, disabled.', { event_id: id })
      if (state.runs.size >= RUNS_MAX) return turn.print('error', 'ignoring remote exec event, too many run', { event_id: id })
      const place = placeOf(payload)
      if (isRefused(place)) return turn.print('error', 'failed to decode remote exec event', { error: place.why })
      const run = ++state.count
      state.runs.set(run, { place, job: undefined, program: undefined, pieces: 0 })
      turn.again({ name: 'look', request: { run, looks: 1 } })
    },

    look(state, { run, looks }, turn) {
      const running = state.runs.get(run)
      if (!running) return
      const asked = { key: keyOf(running.place, 'job'), token: state.token }
      turn.call(kvRef, 'get', asked, {
        withinMs: COMMIT_WITHIN_MS,
        then: (result) => ({ name: 'looked', request: { run, looks, result } }),
      })
    },

    looked(state, { run, looks, result }, turn) {
      const running = state.runs.get(run)
      if (!running) return
      const job = jobIn(result)
      if (job === undefined && looks < LOOKS_MAX) {
        return turn.timer(`look/${run}`, LOOK_EVERY_MS, { name: 'look', request: { run, looks: looks + 1 } })
      }
      if (job === undefined || isRefused(job)) {
        state.runs.delete(run)
        return turn.print('error', 'remote exec aborted', { error: job ? job.why : 'job spec missing', session: running.place.session })
      }
      running.job = job
      write(turn, state, running, 'ack', '', (written) => ({ name: 'acknowledged', request: { run, written } }))
    },

    acknowledged(state, { run, written }, turn) {
      const running = state.runs.get(run)
      if (!running?.job) return
      if (isLost(turn, running, written)) return void state.runs.delete(run)
      turn.print('info', 'remote exec', { session: running.place.session, ...shown(running.job) })
      turn.act('programs', { do: 'start', work: running.job.work }, { then: (outcome) => ({ name: 'started', request: { run, outcome } }) })
    },

    started(state, { run, outcome }, turn) {
      const running = state.runs.get(run)
      if (!running) return
      if (isRefused(outcome)) {
        turn.print('error', 'failed to start remote exec', { error: outcome.why })
        return finish(turn, state, run, running, EXIT_FAILED)
      }
      running.program = outcome.program
      readOn(turn, run, running)
    },

    read(state, { run, outcome }, turn) {
      const running = state.runs.get(run)
      if (!running) return
      if (isRefused(outcome)) return finish(turn, state, run, running, EXIT_FAILED)
      const { output, exitCode } = outcome
      if (exitCode !== undefined) running.program = undefined
      if (exitCode !== undefined && output.byteLength === 0) return finish(turn, state, run, running, exitCode)
      // A piece without content is a sign of life.
      const name = outputName(running.pieces)
      running.pieces += 1
      write(turn, state, running, name, output, (written) => ({ name: 'told', request: { run, written, exitCode } }))
    },

    told(state, { run, written, exitCode }, turn) {
      const running = state.runs.get(run)
      if (!running) return
      if (isLost(turn, running, written)) finish(turn, state, run, running, EXIT_FAILED)
      else if (exitCode === undefined) readOn(turn, run, running)
      else finish(turn, state, run, running, exitCode)
    },

    finished(state, { run, written }, turn) {
      const running = state.runs.get(run)
      if (running) isLost(turn, running, written)
      state.runs.delete(run)
    },
  },
})

/** Undefined if it is not there. */
function jobIn(result: Result<{ value: Uint8Array | null }>): Result<Job> | undefined {
  if (isRefused(result)) return result
  if (result.value === null) return undefined
  const job = jobOf(result.value)
  return isRefused(job) ? refuse(job.refused, `failed to decode remote exec spec: ${job.why}`) : job
}

/** Whatever is left of the program ends. */
function finish(turn: RemoteExecTurn, state: RemoteExecState, run: number, running: Run, exitCode: number): void {
  if (running.program !== undefined) turn.act('programs', { do: 'end', program: running.program })
  running.program = undefined
  write(turn, state, running, 'exit', String(exitCode), (written) => ({ name: 'finished', request: { run, written } }))
}

function readOn(turn: RemoteExecTurn, run: number, { program, job }: Run): void {
  if (program === undefined || job === undefined) return
  turn.act(
    'programs',
    { do: 'read', program, bytesMax: PIECE_BYTES_MAX, settleMs: PIECE_AFTER_MS, waitMs: job.waitMs },
    { then: (outcome) => ({ name: 'read', request: { run, outcome } }) },
  )
}

function write(
  turn: RemoteExecTurn,
  { token }: RemoteExecState,
  { place }: Run,
  name: string,
  content: string | Uint8Array,
  then: (written: Written) => Parameters<RemoteExecTurn['again']>[0],
): void {
  const value = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const entry = { key: keyOf(place, turn.node, name), value, flags: 0n, session: place.session, token }
  turn.call(kvRef, 'lock', entry, { withinMs: COMMIT_WITHIN_MS, then })
}

/** Whether nobody can be told any more. */
function isLost(turn: RemoteExecTurn, { place }: Run, written: Written): boolean {
  if (!isRefused(written) && written.applied) return false
  const error = isRefused(written) ? written.why : 'the key is locked by another session'
  turn.print('error', 'failed to write remote exec result', { session: place.session, error })
  return true
}

function shown({ work }: Job): Record<string, unknown> {
  if ('line' in work) return { command: work.line }
  return 'args' in work ? { command: work.args.join(' ') } : { script: `${work.scriptBase64.length} characters of base64` }
}
