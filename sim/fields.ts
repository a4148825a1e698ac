import type { Random } from '../src/kernel/ports.ts'
import { pick } from './streams.ts'

/** What whoever draws an event, or reads one that somebody wrote, may know. */
export type DrawContext = {
  /** Every agent of the run. */
  nodes: readonly string[]
  /** Those of them that are clients. Default: none. */
  clients?: readonly string[]
  /** When trouble ends. */
  quietAtMs: number
  /** Which service has which upstream, on which agent. */
  upstreams: readonly { node: string; source: string; destination: string }[]
  /** Programs behind services, by the service's id. Without: those of the standard estate, of which nobody chooses. */
  programs?: readonly { node: string; id: string }[]
}

/** One value of an event: how to draw it, what is wrong with one that somebody wrote, and what would be less of it. */
export type Field<Value> = {
  /** What is allowed, for people: "a whole number of milliseconds from 10 to 8000". */
  about: string
  draw(random: Random, context: DrawContext, node: string): Value
  isAllowed(value: unknown, context: DrawContext): boolean
  /** Values to try when a failure is made smaller, the boldest first. */
  smaller(value: Value): Value[]
}

export type Fields = Readonly<Record<string, Field<unknown>>>
export type ValuesOf<Of extends Fields> = { [Name in keyof Of]: Of[Name] extends Field<infer Value> ? Value : never }

/** A whole number, drawn from a range. Written by hand it may be anything from `least` on. */
export function whole(from: number, to: number, { least = from, unit = '' }: { least?: number; unit?: string } = {}): Field<number> {
  return {
    about: `a whole number${unit && ` of ${unit}`}, ${least} or more`,
    draw: (random) => random.int(from, to),
    isAllowed: (value) => Number.isSafeInteger(value) && (value as number) >= least,
    smaller: (value) => [...new Set([from, Math.round((from + value) / 2)])].filter((less) => Math.abs(less) < Math.abs(value)),
  }
}

/** How long something lasts. */
export function ms(from: number, to: number): Field<number> {
  return whole(from, to, { least: 0, unit: 'milliseconds' })
}

/** A number between two others, both included. */
export function part(from: number, to: number): Field<number> {
  return {
    about: 'a number from 0 to 1',
    draw: (random) => Math.round((from + random.next() * (to - from)) * 1_000) / 1_000,
    isAllowed: (value) => typeof value === 'number' && value >= 0 && value <= 1,
    smaller: (value) => (value > from ? [from] : []),
  }
}

export function oneOf<const Value extends string>(...values: readonly Value[]): Field<Value> {
  const known: readonly string[] = values
  return {
    about: `one of ${[...new Set(values)].map((value) => JSON.stringify(value)).join(', ')}`,
    draw: (random) => pick(random, values),
    isAllowed: (value) => typeof value === 'string' && known.includes(value),
    smaller: () => [],
  }
}

/** A text that no other event has, so that whoever reads it knows who wrote it. */
export const freshValue: Field<string> = {
  about: 'a text',
  draw: (random) => `v${random.int(0, 1e9)}`,
  isAllowed: (value) => typeof value === 'string',
  smaller: () => [],
}

/** Any agent. */
export const anyNode: Field<string> = {
  about: 'the name of an agent',
  draw: (random, { nodes }) => pick(random, nodes),
  isAllowed: (value, { nodes }) => typeof value === 'string' && nodes.includes(value),
  smaller: () => [],
}

/** Another agent than the one the event is about. */
export const otherNode: Field<string> = {
  about: 'the name of an agent',
  draw: (random, { nodes }, node) =>
    pick(
      random,
      nodes.filter((name) => name !== node),
    ),
  isAllowed: (value, { nodes }) => typeof value === 'string' && nodes.includes(value),
  smaller: () => [],
}

/** The program behind a service of the agent that the event is about; undefined: the agent's first one. */
export const program: Field<string | undefined> = {
  about: 'the id of a service',
  draw(random, { programs = [] }, node) {
    const own = programs.filter((one) => one.node === node)
    return own.length > 0 ? pick(random, own).id : undefined
  },
  isAllowed: (value, { programs = [] }) => value === undefined || programs.some(({ id }) => id === value),
  smaller: () => [],
}

/** An upstream of the agent that the event is about, as "web > db". */
export const upstream: Field<string> = {
  about: 'an upstream as "source > destination"',
  draw: (random, { upstreams }, node) => {
    const own = upstreams.filter((one) => one.node === node)
    const { source, destination } = pick(random, own.length > 0 ? own : upstreams)
    return upstreamName(source, destination)
  },
  isAllowed: (value, { upstreams }) => upstreams.some(({ source, destination }) => value === upstreamName(source, destination)),
  smaller: () => [],
}

export function upstreamName(source: string, destination: string): string {
  return `${source} > ${destination}`
}
