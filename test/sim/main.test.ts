import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { readOptions } from '../../sim/options.ts'
import { drawPlan, readPlan, writePlan } from '../../sim/plan.ts'
import { createProgress } from '../../sim/progress.ts'
import { drawCommand, failurePage, progressLine } from '../../sim/report.ts'
import { Tally } from '../../sim/tally.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const MAIN = fileURLToPath(new URL('../../sim/main.ts', import.meta.url))

test('one run, whose seed is printed first, when nothing is asked for', (t) => {
  const options = readOptions([], () => 'drawn')
  if (isRefused(options) || options.do !== 'campaign') return t.fail(JSON.stringify(options))
  t.true(options.isShrunk)
  t.deepEqual(
    Object.entries(options.campaign).filter(([, value]) => value !== undefined),
    [['seed', 'drawn']],
  )
})

test('every option says what it is for', (t) => {
  const args = '--seed 7 --runs 9 --scenario network,power --nodes 3 --minutes 2 --repeat 0.5 --jobs 2 --shrink=false --mutant blind-cas'
  const options = readOptions(args.split(' '), () => 'drawn')
  if (isRefused(options) || options.do !== 'campaign') return t.fail(JSON.stringify(options))
  t.false(options.isShrunk)
  const { scenarios = [], mutant, ...rest } = options.campaign
  t.deepEqual(
    scenarios.map(({ name }) => name),
    ['network', 'power'],
  )
  t.is(mutant?.name, 'blind-cas')
  t.deepEqual(rest, { seed: '7', runs: 9, nodes: 3, seconds: 120, repeat: 0.5, jobs: 2, forMs: undefined })
  t.like(
    readOptions(['--for', '1m30s'], () => 'drawn'),
    { campaign: { forMs: 90_000, runs: undefined } },
  )
  t.like(
    readOptions(['--plan', 'x.json', '--mutant', 'blind-cas'], () => 'drawn'),
    { do: 'plan', path: 'x.json', isShrunk: true },
  )
  t.deepEqual(
    readOptions(['--corpus'], () => 'drawn'),
    { do: 'corpus' },
  )
})

const MISUSED: [args: string, why: RegExp][] = [
  ['--runz 3', /^flag provided but not defined: -runz$/],
  ['--runs', /^flag needs an argument: -runs$/],
  ['--runs 0', /^--runs: must be a whole number from 1 on, got "0"$/],
  ['--runs 1.5', /^--runs: must be a whole number from 1 on, got "1.5"$/],
  ['--nodes many', /^--nodes: must be a whole number from 1 to 2000, got "many"$/],
  ['--nodes 2001', /^--nodes: .* got "2001"$/],
  ['--jobs 65', /^--jobs: must be a whole number from 1 to 64, got "65"$/],
  ['--seconds -1', /^--seconds: /],
  ['--minutes 1e3', /^--minutes: /],
  ['--repeat 1.1', /^--repeat: must be a number from 0 to 1, got "1.1"$/],
  ['--for 3', /^--for: must be a duration such as 180s or 1h30m, got "3"$/],
  ['--for 0s', /^--for: /],
  ['--seed=', /^--seed: must not be empty$/],
  ['--shrink=perhaps', /^invalid boolean value "perhaps" for -shrink: parse error$/],
  ['--scenario storm', /^--scenario: no scenario "storm"; there are\n +mixed +everything[\s\S]*\n +weeks +three virtual weeks/],
  ['--mutant x-man', /^--mutant: no mutant "x-man"; there are answer-before-durable, /],
  ['--seconds 3 --minutes 3', /^--seconds: not together with --minutes: /],
  ['--runs 3 --for 3s', /^--runs: not together with --for: /],
  ['--plan x --nodes 3', /^--nodes: not together with --plan: a plan says it itself$/],
  ['--corpus --seed 3', /^--seed: not together with --corpus: /],
  ['now', /^unexpected argument "now"$/],
]

for (const [args, why] of MISUSED) {
  test(`a bad option is named: ${args}`, (t) => {
    const options = readOptions(args.split(' '), () => 'drawn')
    t.regex(isRefused(options) ? options.why : JSON.stringify(options), why)
  })
}

test('exit codes: 0 held, 1 broken, 2 misused; what broke is saved and seen again with the command that is shown', (t) => {
  const folder = temporaryDirectory(t)
  const sim = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'utf8' })
    return { status, out: stdout, err: stderr }
  }
  const held = sim('--nodes', '1', '--seconds', '5')
  t.is(held.status, 0, held.out + held.err)
  t.regex(held.out, /^seed [0-9a-f]+\n\n1 run held, 1 of them carried out twice/)
  t.is(sim('--help').status, 0)
  const misused = sim('--nodes', 'x')
  t.deepEqual([misused.status, misused.out, misused.err.trim().split('\n').length], [2, '', 1])
  t.is(sim('--plan', 'nowhere.json').status, 2)

  const broken = sim('--seed', 'mutants', '--runs', '40', '--nodes', '1', '--mutant', 'blind-cas')
  t.is(broken.status, 1, broken.err)
  t.regex(broken.out, /^FAILED {2}kv-is-linearizable: /m)
  t.regex(broken.out, /^ {2}with the known bug blind-cas: a write with a condition/m)
  t.regex(broken.out, /^ {2}where {2}kv.put: a client writes a key/m)
  const [, again = '', whole = ''] = / {2}again: {2}npm run sim -- (.*) {8}all of it: {2}npm run sim -- (.*)/.exec(broken.out) ?? []
  const [, path = ''] = again.split(' ')
  t.like(sim(...again.split(' ')), { status: 1 })
  t.like(sim(...whole.split(' ')), { status: 1 })
  t.like(sim('--plan', path), { status: 0, err: '' })
  const saved = readPlan(readFileSync(join(folder, path), 'utf8'))
  if (isRefused(saved)) return t.fail(saved.why)
  t.is(saved.events.length, 2)

  const asDrawn = sim(...whole.split(' '), '--shrink=false')
  t.is(asDrawn.status, 1)
  t.notRegex(asDrawn.out, /shrunk/)
  t.is(readFileSync(join(folder, path), 'utf8'), writePlan(drawPlan(saved.seed, { nodes: 1 })))
})

test('a failure is told with all that it takes to see it again', (t) => {
  const plan = { ...drawPlan('page', { nodes: 3, seconds: 5 }), events: [{ atMs: 7, do: 'crash', node: 'n1', forMs: 9, how: 'so so' }] }
  const failure = { invariant: 'nothing-is-thrown', sentence: 'no code throws', what: 'Error: x\n    at y', atMs: 1_234 }
  const page = failurePage(
    { plan, failure, printed: ['a line'] },
    { plan: { ...plan, nodes: ['n1', 'n2', 'n3', 'n4'] }, runs: 3 },
    {
      againCommand: 'again',
      wholeCommand: 'whole',
    },
  )
  t.deepEqual(page, [
    '',
    'FAILED  nothing-is-thrown: Error: x\n        at y',
    '  broken: no code throws',
    '  seed page, virtual 1.2 s, 3 of 4 agents and 1 events matter (shrunk in 3 runs)',
    '           7 ms  crash n1 forMs=9 how="so so"',
    '  where  crash: a machine stops at once and starts again after a while; what was not durable is gone',
    '  the last lines of the log:',
    '    a line',
    '  again:  again        all of it:  whole',
  ])
  const task = { at: 1, seed: "it's", scenario: 'network', nodes: 3, seconds: 9, mutant: 'blind-cas', isTwice: true }
  t.is(drawCommand(task), "npm run sim -- --seed 'it'\\''s' --scenario network --nodes 3 --seconds 9 --mutant blind-cas")
  t.is(drawCommand({ at: 1, seed: '7-1', scenario: 'mixed', isTwice: true }), 'npm run sim -- --seed 7-1')
})

test('progress is one line on a terminal, and a line now and then elsewhere', (t) => {
  for (const [isTTY, expected] of [
    [true, ['\r\x1b[K1', '\r\x1b[K10', '\r\x1b[K11', '\r\x1b[K']],
    [false, ['10\n']],
  ] as const) {
    const written: string[] = []
    let nowMs = 0
    const progress = createProgress({ isTTY, write: (text) => written.push(text) }, () => nowMs)
    progress.show(() => 'too early')
    for (nowMs of [1_000, 1_100, 10_000, 11_000]) progress.show(() => String(nowMs / 1_000))
    progress.end()
    progress.end()
    t.deepEqual(written, expected)
  }
})

test('progress says how much is left', (t) => {
  const tally = new Tally()
  tally.runs = 20
  tally.virtualMs = 90_000
  t.is(progressLine(tally, 10_000, { runs: 50 }), '20 of 50 runs, 1.5 virtual minutes, 2.0 runs/s, 15 s left')
  t.is(progressLine(tally, 10_000, { forMs: 12_500 }), '20 runs, 1.5 virtual minutes, 2.0 runs/s, 3 s left')
  t.is(progressLine(new Tally(), 10_000, { runs: 50 }), '0 of 50 runs, 0.0 virtual minutes, 0.0 runs/s')
})
