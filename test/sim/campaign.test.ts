import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { campaign, type RunResult } from '../../sim/campaign.ts'
import { failureFound } from '../../sim/failure.ts'
import { createProcesses } from '../../sim/jobs.ts'
import { mutants, SOUND } from '../../sim/mutants/index.ts'
import { drawPlan, readPlan } from '../../sim/plan.ts'
import { firstDifference, playTwice } from '../../sim/play.ts'
import { campaignPage, drawCommand } from '../../sim/report.ts'
import { type Scenario, scenarioNamed } from '../../sim/scenarios/index.ts'
import { Tally } from '../../sim/tally.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

/** Real time for the campaign of this commit. */
const IS_LONG = process.env['CI'] !== undefined
const COMMIT_FOR_MS = IS_LONG ? 90_000 : 10_000
/** Real time for the last run, the failure's shrinking and a busy machine. */
const COMMIT_MORE_MS = 300_000
const COMMIT_TURN = ['mixed', 'network', 'mixed', 'power', 'clients', 'mixed', 'calm', 'away']
const COMMIT_SCENARIOS = (
  IS_LONG ? [...COMMIT_TURN, 'weeks', ...COMMIT_TURN, 'rotation', ...COMMIT_TURN, ...COMMIT_TURN] : COMMIT_TURN
).map((name) => scenarioNamed(name) as Scenario)
/** The part of the plans that is carried out twice. */
const COMMIT_REPEAT = 0.5
const SMALL = { nodes: 1, seconds: 60 }

test('the campaign of this commit holds and reaches what it is for', async (t) => {
  t.timeout(COMMIT_FOR_MS + COMMIT_MORE_MS)
  const seed = commitHash()
  t.log(`seed ${seed}, ${COMMIT_FOR_MS / 1_000} s`)
  const beganMs = performance.now()
  const tally = await campaign({ seed, forMs: COMMIT_FOR_MS, scenarios: COMMIT_SCENARIOS, repeat: COMMIT_REPEAT })
  if (tally.failed) {
    const wholeCommand = drawCommand(tally.failed.task)
    return t.fail(failureFound(tally.failed, { isShrunk: true, wholeCommand, progress: process.stderr }).join('\n'))
  }
  t.log(campaignPage(tally, performance.now() - beganMs).join('\n'))
  t.deepEqual(tally.neverReached(), [])
})

test('several nodes live in one world', async (t) => {
  const { failed } = await campaign({ seed: 'three', runs: 5, nodes: 3, seconds: 30 })
  t.is(failed?.failure.what, undefined)
})

test('what comes out does not depend on how many processes share the work, and a failure is the first one', async (t) => {
  const mutant = mutants.find(({ name }) => name === 'store-forgets')
  for (const [isSound, options] of [
    [true, { seed: 'jobs', runs: 9, nodes: 1, seconds: 10 }],
    [false, { seed: 'jobs', runs: 40, ...SMALL, mutant }],
  ] as const) {
    const alone = await campaign(options)
    t.deepEqual(await campaign({ ...options, jobs: 3 }), alone)
    t.is(alone.failed === undefined, isSound)
  }
})

test('a process that ends is an error that names its run', async (t) => {
  const task = { at: 3, seed: 'x-3', scenario: 'mixed', isTwice: true }
  const [child] = createProcesses(1, new URL('./dying-worker.ts', import.meta.url))
  await t.throwsAsync(async () => child?.carryOut(task), {
    message: 'run x-3: the process that carried it out ended with code 3: out of ideas',
  })
  await t.throwsAsync(async () => child?.carryOut({ ...task, seed: 'x-4' }), { message: /^run x-4: .* ended with code 3/ })
})

test('a part of the plans is carried out once only', async (t) => {
  const options = { seed: 'part', runs: 20, nodes: 1, seconds: 2 }
  t.is((await campaign({ ...options, repeat: 0 })).plays, 20)
  t.is((await campaign(options)).plays, 40)
  const { plays } = await campaign({ ...options, repeat: 0.5 })
  t.true(plays > 20 && plays < 40, String(plays))
})

test('what was hardly missed by chance is told, what may be is not', (t) => {
  const result: RunResult = {
    task: { at: 0, seed: 's', scenario: 'mixed', isTwice: false },
    nodes: 1,
    hash: 'a',
    virtualMs: 1,
    events: 1,
    restedMs: 1,
    reached: [],
    drawn: [['kv.put', 60]],
  }
  const tally = new Tally()
  for (let runs = 0; runs < 5; runs++) tally.add(result)
  t.deepEqual(tally.neverReached(), [])
  tally.add(result)
  t.true(tally.neverReached().includes('kv write applied, although 6 runs had 20 of kv.put or more'))
  t.false(tally.neverReached().some((said) => said.startsWith('kv.get')))
  for (let runs = 0; runs < 20; runs++) tally.add({ ...result, reached: [['kv write applied', 1]] })
  t.false(tally.neverReached().some((said) => said.startsWith('kv write applied')))
  t.true(tally.neverReached().includes('kv.get: no plan of 26 has it'))
})

test('the first difference of two traces is shown with what was before it', (t) => {
  t.is(firstDifference(['a', 'b'], ['a', 'b']), undefined)
  t.is(firstDifference(['a', 'b', 'c'], ['a', 'b', 'd']), 'line 2 of the trace:\n           a\n           b\n    once:  c\n    twice: d')
  t.is(firstDifference(['a'], ['a', 'b']), 'line 1 of the trace:\n           a\n    once:  nothing more\n    twice: b')
})

test('a plan is data: written, read and carried out, it gives the same run', (t) => {
  const plan = drawPlan('as-data', { nodes: 1, seconds: 20 })
  const again = readPlan(JSON.stringify(plan))
  if (isRefused(again)) return t.fail(again.why)
  t.is(playTwice(again, SOUND).hash, playTwice(plan, SOUND).hash)
})

test('a bad plan is refused by the field that is wrong', (t) => {
  const good = drawPlan('bad', { nodes: 1, seconds: 5 })
  const refused = (change: object) => {
    const plan = readPlan(JSON.stringify({ ...good, ...change }))
    return isRefused(plan) ? plan.why : 'accepted'
  }
  t.is(refused({ format: 1 }), 'plan.format: must be 2, got 1')
  t.is(refused({ colour: 'red' }), 'plan.colour: unknown field')
  t.is(refused({ nodes: [] }), 'plan.nodes: must be a list of names')
  t.is(refused({ events: [{ atMs: 1, do: 'dance', node: 'n1' }] }), 'plan.events[0].do: unknown kind "dance"')
  t.is(refused({ events: [{ atMs: 1, do: 'crash', node: 'n9' }] }), 'plan.events[0].node: "n9" is not one of the plan\'s nodes')
  t.is(
    refused({ events: [{ atMs: 1, do: 'crash', node: 'n1', forMs: 1, how: 'loudly' }] }),
    'plan.events[0].how: must be one of "aloud", "silently", got "loudly"',
  )
  const noise = readPlan('{')
  t.regex(isRefused(noise) ? noise.why : '', /^plan: not JSON/)
})

/** Of the commit that is tested; what was not checked out has a version. */
function commitHash(): string {
  const root = new URL('../..', import.meta.url)
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch (error) {
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
    process.stderr.write(`no commit (${error instanceof Error ? error.message : String(error)}): the seed is the version\n`)
    return version
  }
}
