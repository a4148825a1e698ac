import { type Result, refuse } from '../src/kernel/refusal.ts'
import { faults } from './faults/index.ts'
import type { DrawContext } from './fields.ts'
import type { Kind } from './kind.ts'
import { type Scenario, scenarioNamed } from './scenarios/index.ts'
import { isClient, standardUpstreams } from './standard-estate.ts'
import { createRandom, pick } from './streams.ts'
import { workloads } from './workloads/index.ts'

/** One thing that happens in a run. What else it has depends on `do`. */
export type PlanEvent = { atMs: number; do: string; node: string; [name: string]: unknown }

/** A run as data: it can be saved, read, edited and run again. */
export type Plan = {
  format: 2
  seed: string
  nodes: string[]
  /** Whether the agents run on several threads or on one. */
  threads: 'separate' | 'together'
  /** How often the agents look after their services. */
  checkEveryMs: number
  /** When trouble ends and everything must come to rest. */
  quietAtMs: number
  events: PlanEvent[]
}

export type DrawOptions = { scenario?: Scenario | undefined; nodes?: number | undefined; seconds?: number | undefined }

const mixed = scenarioNamed('mixed') as Scenario
const kinds = new Map<string, Kind>([...workloads, ...faults].map((kind) => [kind.name, kind]))

export function kindNamed(name: string): Kind | undefined {
  return kinds.get(name)
}

/** Draws a plan. Each run first draws which kinds of trouble exist in it, so that each is also met alone. */
export function drawPlan(seed: string, { scenario = mixed, nodes, seconds }: DrawOptions = {}): Plan {
  const random = createRandom(`${seed}/plan`)
  const servers = nodes ?? pick(random, scenario.nodes)
  // In a stream of its own: what else a plan has does not depend on it.
  const clients = pick(createRandom(`${seed}/plan/clients`), clientsOf(scenario, nodes))
  const names = [...numbered('n', servers), ...numbered('c', clients)]
  const quietAtMs = (seconds ?? scenario.seconds) * 1_000
  const context = contextOf(names, quietAtMs)
  const possible = [...kinds.values()].filter((kind) => isPossible(kind, scenario, servers, clients))
  const present = possible.filter((kind) => random.next() < chanceOf(kind, scenario))
  const threads = random.next() < 0.75 ? 'separate' : 'together'
  const events = present.flatMap((kind) => drawEvents(seed, kind, scenario.rate(kind), context))
  events.sort((a, b) => a.atMs - b.atMs)
  return { format: 2, seed, nodes: names, threads, checkEveryMs: scenario.checkEveryMs, quietAtMs, events }
}

/** Events of one kind, in a stream of its own. `rate` multiplies how often it comes. */
export function drawEvents(seed: string, kind: Kind, rate: number, context: DrawContext): PlanEvent[] {
  const own = createRandom(`${seed}/plan/${kind.name}`)
  const count = Math.round(usualCount(kind, rate, context.nodes.length, context.quietAtMs) * (0.5 + own.next()))
  const possible = kind.onServers ? context.nodes.filter((name) => !context.clients?.includes(name)) : context.nodes
  return Array.from({ length: count }, (): PlanEvent => {
    const node = pick(own, possible)
    const event: PlanEvent = { atMs: own.int(500, context.quietAtMs), do: kind.name, node }
    for (const [name, field] of Object.entries(kind.fields)) {
      const value = field.draw(own, context, node)
      if (value !== undefined) event[name] = value
    }
    return event
  })
}

/** The chance that a plan has any event of a kind. */
export function chanceDrawn(kind: Kind, { scenario = mixed, nodes, seconds }: DrawOptions = {}): number {
  const servers = nodes === undefined ? scenario.nodes : [nodes]
  const counts = servers.flatMap((count) => clientsOf(scenario, nodes).map((clients) => [count, clients] as const))
  const quietAtMs = (seconds ?? scenario.seconds) * 1_000
  const chances = counts.map(([count, clients]) => {
    if (!isPossible(kind, scenario, count, clients)) return 0
    // There is one if the usual count, times something from 0.5 to 1.5, is at least a half.
    const enough = 0.5 / usualCount(kind, scenario.rate(kind), count + clients, quietAtMs)
    return chanceOf(kind, scenario) * Math.min(1, Math.max(0, 1.5 - enough))
  })
  return chances.reduce((sum, chance) => sum + chance, 0) / counts.length
}

/** A plan as text to be read and edited: one line for each event. */
export function writePlan({ events, ...plan }: Plan): string {
  const lines = Object.entries(plan).map(([name, value]) => `  ${JSON.stringify(name)}: ${spaced(value)},\n`)
  const written = events.map((event) => `\n    ${spaced(event)}`).join(',')
  return `{\n${lines.join('')}  "events": [${written}${written && '\n  '}]\n}\n`
}

/** Reads a plan that somebody wrote or saved. Every mistake is named by its field. */
export function readPlan(text: string): Result<Plan> {
  let plan: unknown
  try {
    plan = JSON.parse(text)
  } catch (error) {
    return refuse('invalid', `plan: not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const wrong = planFault(plan)
  return wrong === undefined ? (plan as Plan) : refuse('invalid', `plan${wrong}`)
}

/** JSON on one line, with a space after each comma and colon that is not inside a text. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value)
    .filter(([, one]) => one !== undefined)
    .map(([name, one]) => `${JSON.stringify(name)}: ${spaced(one)}`)
    .join(', ')} }`
}

function planFault(plan: unknown): string | undefined {
  if (typeof plan !== 'object' || plan === null) return ': must be an object'
  const { format, seed, nodes, threads, checkEveryMs, quietAtMs, events, ...rest } = plan as Record<string, unknown>
  const unknownField = Object.keys(rest)[0]
  if (unknownField !== undefined) return `.${unknownField}: unknown field`
  if (format !== 2) return `.format: must be 2, got ${JSON.stringify(format)}`
  if (typeof seed !== 'string') return '.seed: must be a text'
  if (!Array.isArray(nodes) || nodes.length === 0 || !nodes.every((name) => typeof name === 'string' && name !== ''))
    return '.nodes: must be a list of names'
  const twice = nodes.find((name, at) => nodes.indexOf(name) !== at)
  if (twice !== undefined) return `.nodes: ${JSON.stringify(twice)} is there twice`
  if (threads !== 'separate' && threads !== 'together') return '.threads: must be "separate" or "together"'
  if (!isPositive(checkEveryMs)) return '.checkEveryMs: must be a positive number of milliseconds'
  if (!isPositive(quietAtMs)) return '.quietAtMs: must be a positive number of milliseconds'
  if (!Array.isArray(events)) return '.events: must be a list'
  if (nodes.every(isClient)) return '.nodes: one of them at least must be a server, called otherwise than c1, c2, …'
  return eventsFault(events, contextOf(nodes, quietAtMs))
}

/** The first mistake in a list of events, as `.events[3].forMs: …`. */
export function eventsFault(events: readonly unknown[], context: DrawContext): string | undefined {
  for (const [at, event] of events.entries()) {
    const fault = eventFault(event, context)
    if (fault !== undefined) return `.events[${at}]${fault}`
  }
  return undefined
}

function eventFault(event: unknown, context: DrawContext): string | undefined {
  if (typeof event !== 'object' || event === null) return ': must be an object'
  const { atMs, do: what, node, ...rest } = event as Record<string, unknown>
  if (typeof atMs !== 'number' || !(atMs >= 0)) return '.atMs: must be a number of milliseconds'
  if (atMs > context.quietAtMs) return `.atMs: ${atMs} is later than quietAtMs (${context.quietAtMs}), when everything must be quiet`
  const kind = typeof what === 'string' ? kinds.get(what) : undefined
  if (!kind) return `.do: unknown kind ${JSON.stringify(what)}`
  if (typeof node !== 'string' || !context.nodes.includes(node)) return `.node: ${JSON.stringify(node)} is not one of the plan's nodes`
  if (kind.onServers && context.clients?.includes(node)) return `.node: ${node} is a client agent, and ${kind.name} is about a server`
  for (const [name, field] of Object.entries(kind.fields)) {
    if (!field.isAllowed(rest[name], context)) return `.${name}: must be ${field.about}, got ${JSON.stringify(rest[name])}`
  }
  const unknownField = Object.keys(rest).find((name) => !(name in kind.fields))
  return unknownField === undefined ? undefined : `.${unknownField}: ${kind.name} has no such field`
}

function isPossible(kind: Kind, scenario: Scenario, servers: number, clients: number): boolean {
  const nodes = servers + clients
  if (kind.withClients && clients === 0) return false
  return scenario.rate(kind) > 0 && (kind.nodesMin ?? 1) <= nodes && nodes <= (kind.nodesMax ?? nodes)
}

/** How many client agents there may be. Whoever says how many agents there are has no others, unless the scenario is about clients. */
function clientsOf({ clients = [0] }: Scenario, nodes: number | undefined): readonly number[] {
  return nodes !== undefined && clients.includes(0) ? [0] : clients
}

function numbered(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${letter}${at + 1}`)
}

/** What may happen in the standard estate. */
export function contextOf(nodes: readonly string[], quietAtMs: number): DrawContext {
  return { nodes, clients: nodes.filter(isClient), quietAtMs, upstreams: standardUpstreams(nodes) }
}

/** The chance that a run has a kind that is possible in it. */
function chanceOf({ name, isFault }: Kind, { certain }: Scenario): number {
  return certain?.includes(name) ? 1 : isFault ? 0.5 : 0.8
}

function usualCount({ perMinute, oncePerRun }: Kind, rate: number, nodes: number, quietAtMs: number): number {
  return perMinute * rate * (quietAtMs / 60_000) * (oncePerRun ? 1 : nodes)
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && value > 0
}
