import type { ConfigHost } from '../../src/config/index.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { campaignOfOwn } from './campaign.ts'
import { loadOwn } from './load.ts'
import { type Broken, smaller } from './play.ts'
import { asJson, brokenPage, introduction, savedScenario, summaryPage } from './report.ts'
import { type Overrides, readScenario } from './scenario.ts'

export type OwnOptions = Overrides & {
  configDir: string
  /** A file; without one, faults are drawn. */
  scenario?: string | undefined
  json: boolean
  /** Where a scenario that failed is to be saved, as people see it. */
  savedAs: string
  /** Seed of whoever gives none. */
  drawnSeed: string
  /** The name under which the program was started. */
  program: string
}

/** What the simulation needs of the machine. */
export type OwnWorld = {
  disk: ConfigHost
  /** Milliseconds since any start. */
  nowMs(): number
  out(line: string): void
  /** Says how far long work is. */
  tell(line: string): void
  save(text: string): Result<null>
}

/** Shrinking may take this long. */
const SHRINK_MS = 20_000
const RUNS = 20
const PROGRESS_EVERY_MS = 10_000

/** Simulates somebody's agents and says what broke. The answer says whether anything did; refused: the input makes no sense. */
export function simulateOwn(options: OwnOptions, world: OwnWorld): Result<{ isBroken: boolean }> {
  const { configDir, json, savedAs, program } = options
  const own = loadOwn(configDir, world.disk)
  if (isRefused(own)) return refuse('invalid', `-config-dir: ${own.why}`)
  const { estate, notes } = own
  const scenario = scenarioOf(options, world.disk, estate)
  if (isRefused(scenario)) return scenario
  const say = (lines: readonly string[]) => {
    if (!json) for (const line of lines) world.out(line)
  }
  say(introduction(estate, notes, scenario))
  const beganMs = world.nowMs()
  let toldMs = beganMs
  const progress = (done: number) => {
    if (world.nowMs() - toldMs < PROGRESS_EVERY_MS) return
    toldMs = world.nowMs()
    world.tell(`${done} of ${scenario.runs} runs`)
  }
  const campaign = campaignOfOwn(estate, scenario, progress)
  say(summaryPage(campaign, scenario, world.nowMs() - beganMs))
  let failed: Broken | undefined
  if (campaign.broken) {
    const shrinkUntilMs = world.nowMs() + SHRINK_MS
    const { broken, runs } = smaller(campaign.broken, estate, () => world.nowMs() > shrinkUntilMs)
    failed = broken
    const saved = world.save(`${JSON.stringify(savedScenario(broken), null, 2)}\n`)
    const again = isRefused(saved)
      ? `it could not be saved: ${saved.why}`
      : `${program} sim -config-dir ${quoted(configDir)} -scenario ${quoted(savedAs)}`
    say(brokenPage(broken, campaign.broken, runs, estate, again))
  }
  if (json) world.out(JSON.stringify(asJson(campaign, scenario, estate, notes, failed), null, 2))
  return { isBroken: failed !== undefined }
}

function scenarioOf(options: OwnOptions, disk: ConfigHost, estate: Parameters<typeof readScenario>[1]): ReturnType<typeof readScenario> {
  const { scenario: path, drawnSeed, seconds, seed, runs, faults } = options
  if (path === undefined) {
    return readScenario('{}', estate, drawnSeed, { seconds, seed, runs: runs ?? RUNS, faults: faults ?? 'all' })
  }
  const text = disk.readFile(path)
  if (isRefused(text)) return refuse('invalid', `-scenario: ${text.why}`)
  const scenario = readScenario(text, estate, drawnSeed, { seconds, seed, runs, faults })
  return isRefused(scenario) && !scenario.why.startsWith('-') ? refuse('invalid', `${path}: ${scenario.why}`) : scenario
}

/** As it must be written in a shell. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
