import { goFlags, HELP_REQUESTED } from '../src/cli/go-flags.ts'
import { parseDuration } from '../src/config/durations.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import type { CampaignOptions } from './campaign.ts'
import { type Mutant, mutants } from './mutants/index.ts'
import { type Scenario, scenarioNamed, scenarios } from './scenarios/index.ts'

export const USAGE = `
Usage: npm run sim -- [options]

  Runs whole agents in a world of virtual time and drawn faults, and looks for broken promises. Without options: one run.

  --seed TEXT        where all chance comes from (default: drawn, and printed first)
  --runs N           how many plans to draw and carry out (default 1)
  --for DURATION     draws plans until so much real time has passed, such as 180s
  --scenario NAMES   what the runs are about (default mixed); several, with commas between them, are taken in turn:
${scenarioLines()}
  --nodes N          servers in each run (default: drawn, as the scenario says), besides clients if it is about these
  --seconds N        virtual seconds with trouble in each run (default: as the scenario says); or --minutes N
  --repeat PART      the part of the plans that is carried out twice and compared, from 0 to 1 (default 1)
  --jobs N           how many processes share the work (default 1); what comes out does not depend on it
  --plan FILE        carries out a saved plan instead
  --corpus           carries out every plan of sim/corpus instead
  --shrink=false     saves the plan that failed as it is (default: first looks for the smallest one that fails)
  --mutant NAME      puts a known bug in, which must be found; the scenario and the agents are the mutant's unless given:
${mutantLines()}
`

export type Options =
  | { do: 'help' }
  | { do: 'corpus' }
  | { do: 'plan'; path: string; isShrunk: boolean; mutant: Mutant | undefined }
  | { do: 'campaign'; isShrunk: boolean; campaign: CampaignOptions }

const NODES_MAX = 2_000
const JOBS_MAX = 64
const SECONDS_MAX = 10 * 365 * 24 * 3_600

const SPEC = {
  seed: 'string',
  runs: 'string',
  for: 'string',
  scenario: 'string',
  nodes: 'string',
  seconds: 'string',
  minutes: 'string',
  repeat: 'string',
  jobs: 'string',
  plan: 'string',
  corpus: 'boolean',
  shrink: 'boolean',
  mutant: 'string',
} as const
type Name = keyof typeof SPEC

/** Options that make no sense together with the first. */
const ALONE: readonly { first: Name; why: string; others: readonly Name[] }[] = [
  { first: 'corpus', why: 'the corpus is run as it is', others: (Object.keys(SPEC) as Name[]).filter((name) => name !== 'corpus') },
  {
    first: 'plan',
    why: 'a plan says it itself',
    others: ['seed', 'runs', 'for', 'scenario', 'nodes', 'seconds', 'minutes', 'repeat', 'jobs'],
  },
  { first: 'for', why: 'either says how many runs there are', others: ['runs'] },
  { first: 'minutes', why: 'either says how long a run has trouble', others: ['seconds'] },
]

/** Reads the options of `npm run sim`. `drawSeed` is asked if no seed is given. Every mistake is named by its option. */
export function readOptions(args: readonly string[], drawSeed: () => string): Result<Options> {
  const parsed = goFlags(args, SPEC)
  if ('error' in parsed) return parsed.error === HELP_REQUESTED ? { do: 'help' } : refuse('invalid', parsed.error)
  const { flags, rest } = parsed
  if (rest[0] !== undefined) return refuse('invalid', `unexpected argument ${JSON.stringify(rest[0])}`)
  for (const { first, why, others } of ALONE) {
    const other = flags[first] === undefined || flags[first] === false ? undefined : others.find((name) => flags[name] !== undefined)
    if (other !== undefined) return refuse('invalid', `--${other}: not together with --${first}: ${why}`)
  }
  if (flags.corpus) return { do: 'corpus' }
  const mutant = mutantNamed(flags.mutant)
  if (isRefused(mutant)) return mutant
  const isShrunk = flags.shrink ?? true
  if (flags.plan !== undefined) return { do: 'plan', path: flags.plan, isShrunk, mutant }
  const numbers = {
    runs: wholeNumber('runs', flags.runs, Number.MAX_SAFE_INTEGER),
    nodes: wholeNumber('nodes', flags.nodes, NODES_MAX),
    seconds: wholeNumber('seconds', flags.seconds, SECONDS_MAX),
    minutes: wholeNumber('minutes', flags.minutes, SECONDS_MAX / 60),
    jobs: wholeNumber('jobs', flags.jobs, JOBS_MAX),
    repeat: partOf('repeat', flags.repeat),
    forMs: durationMs('for', flags.for),
  }
  for (const value of Object.values(numbers)) if (isRefused(value)) return value
  const named = scenariosNamed(flags.scenario ?? mutant?.scenario)
  if (isRefused(named)) return named
  if (flags.seed === '') return refuse('invalid', '--seed: must not be empty')
  const { minutes, ...given } = numbers as { [Name in keyof typeof numbers]: number | undefined }
  const seconds = minutes === undefined ? given.seconds : minutes * 60
  const nodes = given.nodes ?? (flags.scenario === undefined ? mutant?.nodes : undefined)
  return { do: 'campaign', isShrunk, campaign: { ...given, nodes, seconds, seed: flags.seed ?? drawSeed(), scenarios: named, mutant } }
}

function scenarioLines(): string {
  return scenarios.map(({ name, about }) => `                       ${name.padEnd(10)}${about}`).join('\n')
}

function mutantLines(): string {
  return mutants.map(({ name, about }) => `                       ${name}: ${about}`).join('\n')
}

function mutantNamed(name: string | undefined): Result<Mutant> | undefined {
  if (name === undefined) return undefined
  const known = mutants.map((mutant) => mutant.name).join(', ')
  return (
    mutants.find((mutant) => mutant.name === name) ?? refuse('invalid', `--mutant: no mutant ${JSON.stringify(name)}; there are ${known}`)
  )
}

function scenariosNamed(names: string | undefined): Result<Scenario[]> | undefined {
  const found: Scenario[] = []
  for (const name of names?.split(',') ?? []) {
    const scenario = scenarioNamed(name)
    if (!scenario) return refuse('invalid', `--scenario: no scenario ${JSON.stringify(name)}; there are\n${scenarioLines()}`)
    found.push(scenario)
  }
  return found.length > 0 ? found : undefined
}

function wholeNumber(name: Name, text: string | undefined, max: number): Result<number> | undefined {
  if (text === undefined) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= 1 && value <= max) return value
  const range = max === Number.MAX_SAFE_INTEGER ? 'from 1 on' : `from 1 to ${max}`
  return refuse('invalid', `--${name}: must be a whole number ${range}, got ${JSON.stringify(text)}`)
}

function partOf(name: Name, text: string | undefined): Result<number> | undefined {
  if (text === undefined) return undefined
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN
  return value >= 0 && value <= 1 ? value : refuse('invalid', `--${name}: must be a number from 0 to 1, got ${JSON.stringify(text)}`)
}

function durationMs(name: Name, text: string | undefined): Result<number> | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (!isRefused(ms) && ms > 0) return ms
  return refuse('invalid', `--${name}: must be a duration such as 180s or 1h30m, got ${JSON.stringify(text)}`)
}
