import type { Random } from '../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { faults } from './faults/index.ts'
import { createRandom, pick } from './streams.ts'
import { workloads } from './workloads/index.ts'

/** One thing that happens in a run. What else it has depends on `do`. */
export type PlanEvent = { atMs: number; do: string; node: string; [name: string]: unknown }

/** A run as data: it can be saved, read, edited and run again. */
export type Plan = {
  format: 1
  seed: string
  nodes: string[]
  /** Whether the agents run on several threads or on one. */
  threads: 'separate' | 'together'
  /** When trouble ends and everything must come to rest. */
  quietAtMs: number
  events: PlanEvent[]
}

/** What whoever draws events may know. */
export type DrawContext = { nodes: readonly string[]; quietAtMs: number }

/** A kind of event: how often one is drawn, how to draw it, how to carry it out. */
export type Kind<Run> = {
  name: string
  /** Drawn this many times in a minute of virtual time, if the run has this kind. */
  perMinute: number
  /** What it has besides its time, kind and node. */
  draw(random: Random, context: DrawContext): Record<string, unknown>
  apply(run: Run, event: PlanEvent): void
}

/** Time left at the end in which everything heals. */
export const REST_MS = 30_000

/** Draws a plan. Each run first draws which kinds of trouble exist in it, so that each is also met alone. */
export function drawPlan(seed: string, { nodes = 1, seconds = 60 }: { nodes?: number; seconds?: number } = {}): Plan {
  const random = createRandom(`${seed}/plan`)
  const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`)
  const quietAtMs = seconds * 1_000
  const context = { nodes: names, quietAtMs }
  const kinds = [...workloads.filter(() => random.next() < 0.8), ...faults.filter(() => random.next() < 0.5)]
  const events = kinds.flatMap((kind) => {
    const own = createRandom(`${seed}/plan/${kind.name}`)
    const count = Math.round(kind.perMinute * (seconds / 60) * (0.5 + own.next()) * names.length)
    return Array.from({ length: count }, (): PlanEvent => {
      const drawn = kind.draw(own, context)
      return { atMs: own.int(500, quietAtMs), do: kind.name, node: pick(own, names), ...drawn }
    })
  })
  events.sort((a, b) => a.atMs - b.atMs)
  return { format: 1, seed, nodes: names, threads: random.next() < 0.75 ? 'separate' : 'together', quietAtMs, events }
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
  return wrong === undefined ? (plan as Plan) : refuse('invalid', wrong)
}

function planFault(plan: unknown): string | undefined {
  if (typeof plan !== 'object' || plan === null) return 'plan: must be an object'
  const { format, seed, nodes, threads, quietAtMs, events, ...rest } = plan as Record<string, unknown>
  const unknownField = Object.keys(rest)[0]
  if (unknownField !== undefined) return `plan.${unknownField}: unknown field`
  if (format !== 1) return `plan.format: must be 1, got ${JSON.stringify(format)}`
  if (typeof seed !== 'string') return 'plan.seed: must be a text'
  if (!Array.isArray(nodes) || nodes.length === 0 || !nodes.every((name) => typeof name === 'string'))
    return 'plan.nodes: must be a list of names'
  if (threads !== 'separate' && threads !== 'together') return 'plan.threads: must be "separate" or "together"'
  if (typeof quietAtMs !== 'number' || !(quietAtMs > 0)) return 'plan.quietAtMs: must be a positive number of milliseconds'
  if (!Array.isArray(events)) return 'plan.events: must be a list'
  for (const [at, event] of events.entries()) {
    const fault = eventFault(event, nodes as string[])
    if (isRefused(fault)) return `plan.events[${at}]${fault.why}`
  }
  return undefined
}

function eventFault(event: unknown, nodes: readonly string[]): undefined | ReturnType<typeof refuse> {
  if (typeof event !== 'object' || event === null) return refuse('invalid', ': must be an object')
  const { atMs, do: what, node } = event as Record<string, unknown>
  if (typeof atMs !== 'number' || atMs < 0) return refuse('invalid', '.atMs: must be a number of milliseconds')
  if (![...workloads, ...faults].some(({ name }) => name === what)) return refuse('invalid', `.do: unknown kind ${JSON.stringify(what)}`)
  if (typeof node !== 'string' || !nodes.includes(node))
    return refuse('invalid', `.node: ${JSON.stringify(node)} is not one of the plan's nodes`)
  return undefined
}
