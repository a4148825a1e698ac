import type { ProgramWork } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** Where a job is: everything of it is below `prefix/session/`, and it lasts as long as the session. */
export type JobPlace = { prefix: string; session: string }

/** `waitMs`: whoever asked takes a node for lost that says nothing for longer. */
export type Job = { work: ProgramWork; waitMs: number }

/** Reads the payload of the event: JSON with `Prefix` and `Session`. */
export function placeOf(payload: Uint8Array): Result<JobPlace> {
  const event = objectOf(payload)
  if (isRefused(event)) return event
  const { Prefix: prefix = '', Session: session = '' } = event
  if (typeof prefix !== 'string') return refuse('invalid', 'Prefix: must be a text')
  if (typeof session !== 'string' || session === '') return refuse('invalid', 'Session: must name the session of the job')
  return { prefix, session }
}

/** The key of something of a job. */
export function keyOf({ prefix, session }: JobPlace, ...rest: readonly string[]): string {
  return [...prefix.split('/'), session, ...rest].filter((part) => part !== '').join('/')
}

/** Where a piece of output goes: numbers of five hexadecimal digits sort as they came. */
export function outputName(number: number): string {
  return `out/${number.toString(16).padStart(5, '0')}`
}

/** Reads the job: JSON with `Command`, `Args` or `Script` (base64), and `Wait` in ns. Arguments go before a script, that before a command. */
export function jobOf(value: Uint8Array): Result<Job> {
  const spec = objectOf(value)
  if (isRefused(spec)) return spec
  const { Command: line, Args: args, Script: script, Wait: waitNs } = spec
  if (!isAbsent(args) && !(Array.isArray(args) && args.every((arg) => typeof arg === 'string'))) {
    return refuse('invalid', 'Args: must be a list of texts')
  }
  if (!isAbsent(script) && !(typeof script === 'string' && BASE64.test(script))) return refuse('invalid', 'Script: must be base64')
  if (!isAbsent(line) && typeof line !== 'string') return refuse('invalid', 'Command: must be a text')
  if (!isAbsent(waitNs) && typeof waitNs !== 'number') return refuse('invalid', 'Wait: must be a number of nanoseconds')
  const waitMs = Math.max(WAIT_MS_MIN, Math.round((waitNs ?? 0) / NS_PER_MS))
  if (args && args.length > 0) return { work: { args }, waitMs }
  if (script) return { work: { scriptBase64: script }, waitMs }
  return line ? { work: { line }, waitMs } : refuse('invalid', 'there is nothing to run: neither Command nor Args nor Script')
}

/** Signs of life cost a write each. */
const WAIT_MS_MIN = 200
const NS_PER_MS = 1_000_000
const BASE64 = /^[\w+/]*={0,2}$/

type Fields = { Prefix?: unknown; Session?: unknown; Command?: unknown; Args?: unknown; Script?: unknown; Wait?: unknown }

function objectOf(bytes: Uint8Array): Result<Fields> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(bytes))
  } catch (error) {
    return refuse('invalid', error instanceof Error ? error.message : String(error))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('invalid', 'must be an object')
  return value
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null
}
