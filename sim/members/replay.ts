import { chanceFrom } from '../../actors/membership/chance.ts'
import { membership, wanMembership } from '../../actors/membership/index.ts'
import type { TraceEntry } from '../../actors/membership/protocol.ts'
import { noteResult, notingTurn, traceSince } from '../../actors/membership/record.ts'
import {
  FORMAT,
  type RecordedInput,
  type RecordingEnd,
  type RecordingHeader,
  unwritten,
  VERSION,
} from '../../actors/membership/recording.ts'
import type { MembershipState, MembershipTurn } from '../../actors/membership/state.ts'
import type { Random } from '../../src/kernel/ports.ts'
import type { Caller, Subscriber } from '../../src/kernel/protocol.ts'
import { type Result, refuse } from '../../src/kernel/refusal.ts'
import { Recorder } from '../../src/kernel/wishes.ts'
import { createSimTables } from '../ports/tables.ts'

/** A recording as it was read. `end` is undefined in one that was cut off. */
export type GossipRecording = { header: RecordingHeader; inputs: RecordedInput[]; end: RecordingEnd | undefined }

/** One input, given to the actor again. `differences`: sentences on what it made of it now and made of it then. */
export type Replayed = { atMs: number; input: string; trace: TraceEntry[]; differences: string[] }

type Handler = (state: MembershipState, request: unknown, turn: MembershipTurn, from?: Caller | Subscriber) => unknown
const HANDLERS = membership.on as unknown as Readonly<Record<string, Handler>>

/** Reads the text of a recording. Refused with the line that is wrong. */
export function readRecording(text: string): Result<GossipRecording> {
  const [first = '', ...rest] = text.split('\n').filter((line) => line !== '')
  const header = objectOf(first)
  if (header?.['format'] !== FORMAT) return refuse('invalid', 'line 1: this is no recording of gossip')
  if (header['version'] !== VERSION) {
    return refuse('invalid', `line 1: version ${JSON.stringify(header['version'])} is not known, only ${VERSION} is`)
  }
  const headerFault = fieldFault(header, HEADER_FIELDS)
  if (headerFault !== undefined) return refuse('invalid', `line 1: ${headerFault}`)
  const inputs: RecordedInput[] = []
  let end: RecordingEnd | undefined
  for (const [at, line] of rest.entries()) {
    const where = `line ${at + 2}`
    const found = objectOf(line)
    if (found === undefined) return refuse('invalid', `${where}: is no object of JSON`)
    if (end !== undefined) return refuse('invalid', `${where}: comes after the end`)
    const fault = fieldFault(found, 'ended' in found ? END_FIELDS : INPUT_FIELDS)
    if (fault !== undefined) return refuse('invalid', `${where}: ${fault}`)
    if ('ended' in found) end = found as RecordingEnd
    else if (Object.hasOwn(HANDLERS, found['name'] as string) || found['name'] === 'left') inputs.push(found as RecordedInput)
    else return refuse('invalid', `${where}: name: there is no input ${JSON.stringify(found['name'])}`)
  }
  if (end !== undefined && end.inputs !== inputs.length) {
    return refuse('invalid', `the recording had ${end.inputs} inputs and has ${inputs.length}`)
  }
  return { header: header as RecordingHeader, inputs, end }
}

/**
 * The actor with what it knew when the recording began, the same chance, and each input at the time at which it came, timers and outcomes
 * too: so nothing that it wishes for has to be carried out. A crash of the actor ends it.
 */
export function* replay({ header, inputs, end }: GossipRecording): Generator<Replayed> {
  const known = attempt(() => stateOf(header))
  if ('crashed' in known) {
    yield { atMs: header.atMs, input: 'start', trace: [], differences: [`what was known cannot be read: ${known.crashed}`] }
    return
  }
  const state = known.value
  const random = chanceFrom({ at: header.seed })
  for (const input of inputs) {
    const made = attempt(() => give(state, header, random, input))
    const { atMs, name } = input
    if ('crashed' in made) {
      yield { atMs, input: name, trace: [], differences: [`the actor crashes: ${made.crashed}`] }
      return
    }
    const differences = [...differencesOf(input.did, made.value.did, 'it did'), ...differencesOf(input.trace, made.value.trace, 'it noted')]
    yield { atMs, input: name, trace: made.value.trace, differences }
  }
  if (end === undefined) return
  const members = [...state.members.values()].map(({ name, status, incarnation }) => ({ name, status, incarnation }))
  const differences = differencesOf(end.members, members, 'in the end it knew')
  if (differences.length > 0) yield { atMs: inputs.at(-1)?.atMs ?? header.atMs, input: 'end', trace: [], differences }
}

function stateOf({ args, state }: RecordingHeader): MembershipState {
  return { ...(unwritten(state) as MembershipState), args, recording: undefined }
}

function give(state: MembershipState, { node, args }: RecordingHeader, random: Random, { atMs, name, from, request }: RecordedInput) {
  const recorder = new Recorder()
  const self = { actor: (args.wan ? wanMembership : membership).name, key: '' }
  const turn = recorder.begin({ nowMs: atMs, random, self, node, view: EMPTY.view() })
  const { count } = state.trace
  const did: unknown[] = []
  const noting = notingTurn(turn as unknown as MembershipTurn, random, did)
  if (name === 'left') membership.left?.(state, from as Subscriber, noting)
  else noteResult((HANDLERS[name] as Handler)(state, unwritten(request), noting, from), from, did)
  return { did: plain(did) as unknown[], trace: plain(traceSince(state, count)) as TraceEntry[] }
}

/** The actor has no tables. */
const EMPTY = createSimTables({ after: () => undefined, drawCommitMs: () => 0, drawSurvivors: () => 0, shared: undefined })

/** As it comes out of a file. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** The first thing in which two lists differ, in words. */
function differencesOf(before: readonly unknown[], now: readonly unknown[], what: string): string[] {
  for (let at = 0; at < Math.max(before.length, now.length); at++) {
    const [then, here] = [shown(before[at]), shown(now[at])]
    if (then !== here) return [`${what} ${short(then)}, and now ${short(here)}`]
  }
  return []
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing more' : JSON.stringify(value)
}

const SHOWN_MAX = 300

function short(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`
}

function attempt<R>(work: () => R): { value: R } | { crashed: string } {
  try {
    return { value: work() }
  } catch (error) {
    return { crashed: error instanceof Error ? error.message : String(error) }
  }
}

type Fields = Readonly<Record<string, 'number' | 'string' | 'object' | 'list'>>
const HEADER_FIELDS: Fields = { node: 'string', atMs: 'number', forMs: 'number', seed: 'number', args: 'object', state: 'object' }
const INPUT_FIELDS: Fields = { atMs: 'number', name: 'string', did: 'list', trace: 'list' }
const END_FIELDS: Fields = { ended: 'string', inputs: 'number', members: 'list' }

function fieldFault(found: Record<string, unknown>, fields: Fields): string | undefined {
  for (const [name, kind] of Object.entries(fields)) {
    const value = found[name]
    const isKind = kind === 'list' ? Array.isArray(value) : typeof value === kind && value !== null
    if (!isKind) return `${name}: must be ${kind === 'object' ? 'an object' : `a ${kind}`}`
  }
  return undefined
}

function objectOf(line: string): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(line)
    return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Record<string, unknown>) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
