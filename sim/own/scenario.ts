import { parseDuration } from '../../src/config/durations.ts'
import { isObject } from '../../src/kernel/plain.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { Estate } from '../estate.ts'
import { faults } from '../faults/index.ts'
import type { DrawContext } from '../fields.ts'
import type { Kind } from '../kind.ts'
import { eventsFault, kindNamed, type PlanEvent } from '../plan.ts'
import { createRandom } from '../streams.ts'
import { type Expectation, readExpectation } from './expectations.ts'

/** What somebody wants to see of their own agents. */
export type OwnScenario = {
  seconds: number
  seed: string
  runs: number
  /** Kinds of trouble that are drawn, besides the events. */
  faults: readonly Kind[]
  events: readonly PlanEvent[]
  expectations: readonly Expectation[]
}

/** What is given on the command line wins over the file. */
export type Overrides = { seconds?: number | undefined; seed?: string | undefined; runs?: number | undefined; faults?: string | undefined }

const FIELDS = ['about', 'seconds', 'seed', 'runs', 'faults', 'events', 'expect']
const SECONDS = 60
const SECONDS_MAX = 30 * 24 * 3_600
const RUNS_MAX = 1_000_000

/** Reads a scenario as it is written in a file. Every mistake is named by its place. `drawnSeed` is for one that says no seed. */
export function readScenario(text: string, estate: Estate, drawnSeed: string, overrides: Overrides = {}): Result<OwnScenario> {
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch (error) {
    return refuse('invalid', `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isObject(written)) return refuse('invalid', 'must be an object')
  const unknown = Object.keys(written).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) return refuse('invalid', `${unknown}: unknown field; there are ${FIELDS.join(', ')}`)
  const label = (name: keyof Overrides) => (overrides[name] === undefined ? name : `-${name}`)
  const { about = '', seconds = SECONDS, seed = drawnSeed, runs = 1, events = [], expect = [] } = written
  if (typeof about !== 'string') return refuse('invalid', 'about: must be a text')
  if (typeof seed !== 'string' || seed === '') return refuse('invalid', 'seed: must be a text')
  if (overrides.seed === '') return refuse('invalid', '-seed: must not be empty')
  const numbers = { seconds: overrides.seconds ?? seconds, runs: overrides.runs ?? runs }
  if (!isWithin(numbers.seconds, 1, SECONDS_MAX)) {
    return refuse('invalid', `${label('seconds')}: must be a number from 1 to ${SECONDS_MAX}, got ${JSON.stringify(numbers.seconds)}`)
  }
  if (!isWithin(numbers.runs, 1, RUNS_MAX) || !Number.isInteger(numbers.runs)) {
    return refuse('invalid', `${label('runs')}: must be a whole number from 1 to ${RUNS_MAX}, got ${JSON.stringify(numbers.runs)}`)
  }
  const endMs = numbers.seconds * 1_000
  const kinds = readFaults(overrides.faults ?? written['faults'] ?? 'none')
  if (isRefused(kinds)) return refuse('invalid', `${label('faults')}: ${kinds.why}`)
  const chosenSeed = overrides.seed ?? seed
  const planned = readEvents(events, contextOf(estate, endMs), chosenSeed)
  if (isRefused(planned)) return planned
  const expectations = readExpectations(expect, estate, endMs)
  if (isRefused(expectations)) return expectations
  return { seconds: numbers.seconds, seed: chosenSeed, runs: numbers.runs, faults: kinds, events: planned, expectations }
}

/** What may be drawn and named in a run of these agents. */
export function contextOf({ agents, upstreams, applications }: Estate, quietAtMs: number): DrawContext {
  const programs = applications.map(({ node, id }) => ({ node, id }))
  const clients = agents.filter(({ config }) => !config.server).map(({ name }) => name)
  return { nodes: agents.map(({ name }) => name), clients, quietAtMs, upstreams, programs }
}

/** `none`, `all` or names: as a list, or as a text with commas. */
function readFaults(written: unknown): Result<readonly Kind[]> {
  if (written === 'none') return []
  if (written === 'all') return faults
  const names: unknown = typeof written === 'string' ? written.split(',') : written
  if (!Array.isArray(names)) return refuse('invalid', 'must be "none", "all" or a list of names')
  const kinds: Kind[] = []
  for (const name of names) {
    const kind = faults.find((one) => one.name === name)
    if (!kind) return refuse('invalid', `unknown fault ${JSON.stringify(name)}; there are\n${described(faults)}`)
    kinds.push(kind)
  }
  return kinds
}

function readEvents(written: unknown, context: DrawContext, seed: string): Result<PlanEvent[]> {
  if (!Array.isArray(written)) return refuse('invalid', 'events: must be a list')
  const events: PlanEvent[] = []
  for (const [at, one] of written.entries()) {
    const event = readEvent(one, context, `${seed}/event/${at}`)
    if (isRefused(event)) return refuse('invalid', `events[${at}]${event.why}`)
    const fault = eventsFault([event], context)?.replace(/^\.events\[0\]/, '')
    if (fault !== undefined) return refuse('invalid', `events[${at}]${shown(fault)}`)
    events.push(event)
  }
  return events.sort((a, b) => a.atMs - b.atMs)
}

/** What an event does not say is drawn. */
function readEvent(written: unknown, context: DrawContext, stream: string): Result<PlanEvent> {
  if (!isObject(written)) return refuse('invalid', ': must be an object')
  const { at, do: what, node, ...rest } = written
  const kind = typeof what === 'string' ? kindNamed(what) : undefined
  if (!kind) return refuse('invalid', `.do: unknown kind ${JSON.stringify(what)}; there are\n${described(faults)}`)
  const atMs = readMs(at)
  if (atMs === undefined || atMs < 0) return refuse('invalid', `.at: ${misreadTime(at)}`)
  if (atMs > context.quietAtMs) return refuse('invalid', `.at: ${atMs / 1_000}s is after the end of the run, ${context.quietAtMs / 1_000}s`)
  const { nodes, clients = [] } = context
  const [first = ''] = kind.onServers ? nodes.filter((name) => !clients.includes(name)) : nodes
  if (node === undefined && !kind.oncePerRun) return refuse('invalid', '.node: is missing')
  if (node !== undefined && !(typeof node === 'string' && context.nodes.includes(node))) {
    return refuse('invalid', `.node: there is no agent ${JSON.stringify(node)}; there are ${context.nodes.join(', ')}`)
  }
  if (context.nodes.length < (kind.nodesMin ?? 1)) return refuse('invalid', `.do: ${kind.name} needs ${kind.nodesMin} agents`)
  if (kind.withClients && clients.length === 0) return refuse('invalid', `.do: ${kind.name} needs client agents`)
  const event: PlanEvent = { atMs, do: kind.name, node: typeof node === 'string' ? node : first }
  const wrong = readValues(kind, rest, event)
  if (wrong !== undefined) return wrong
  const random = createRandom(stream)
  for (const [name, field] of Object.entries(kind.fields)) {
    const drawn = field.draw(random, context, event.node)
    if (!(name in event) && drawn !== undefined) event[name] = drawn
  }
  return event
}

/** Values in ms are written without their unit: `for` is `forMs`. */
function readValues(kind: Kind, written: Record<string, unknown>, event: PlanEvent): Refusal | undefined {
  const names = new Map(Object.keys(kind.fields).map((name) => [writtenName(name), name]))
  for (const [key, value] of Object.entries(written)) {
    const name = names.get(key)
    if (name === undefined) {
      const has = names.size === 0 ? 'it has no others' : `it has ${[...names.keys()].join(', ')}`
      return refuse('invalid', `.${key}: ${kind.name} has no such field; besides at, do and node ${has}`)
    }
    const ms = name === key ? value : readMs(value)
    if (ms === undefined) return refuse('invalid', `.${key}: ${misreadTime(value)}`)
    event[name] = ms
  }
  return undefined
}

function readExpectations(written: unknown, estate: Estate, endMs: number): Result<Expectation[]> {
  if (!Array.isArray(written)) return refuse('invalid', 'expect: must be a list of sentences')
  const expectations: Expectation[] = []
  for (const [at, text] of written.entries()) {
    if (typeof text !== 'string') return refuse('invalid', `expect[${at}]: must be a text`)
    const expectation = readExpectation(text, { ...estate, endMs })
    if (isRefused(expectation)) return refuse('invalid', `expect[${at}] ${JSON.stringify(text)}: ${expectation.why}`)
    expectations.push(expectation)
  }
  return expectations
}

/** An event as it is written in a scenario. */
export function writtenEvent({ atMs, do: what, node, ...rest }: PlanEvent): Record<string, unknown> {
  const values = Object.entries(rest).map(([name, value]) => [
    writtenName(name),
    writtenName(name) === name ? value : shownMs(Number(value)),
  ])
  return { at: shownMs(atMs), do: what, node, ...Object.fromEntries(values) }
}

function writtenName(name: string): string {
  return name.replace(/Ms$/, '')
}

/** A number of ms, or a duration such as "1m30s". */
function readMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value) : undefined
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  return ms === undefined || isRefused(ms) ? undefined : Math.round(ms)
}

function misreadTime(value: unknown): string {
  return value === undefined ? 'is missing' : `must be a time such as "10s" or a number of milliseconds, got ${JSON.stringify(value)}`
}

function shownMs(ms: number): string | number {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : ms
}

/** Names of fields as they are written in a scenario. */
function shown(fault: string): string {
  return fault.replace(/^\.(\w+)Ms:/, '.$1:')
}

function described(kinds: readonly Kind[]): string {
  return kinds.map(({ name, about }) => `  ${name}: ${about}`).join('\n')
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}
