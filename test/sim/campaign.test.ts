import test from 'ava'
import { campaign, playTwice } from '../../sim/campaign.ts'
import { mutants, SOUND } from '../../sim/mutants/index.ts'
import { drawPlan, readPlan } from '../../sim/plan.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const SIZE = { nodes: 1, seconds: 60 }

test('the sound build holds for as many runs as every mutant is given', (t) => {
  const runs = Math.max(...mutants.map(({ runsMax }) => runsMax))
  t.is(campaign({ seed: 'mutants', runs, ...SIZE, mutations: SOUND }).failed?.failure.what, undefined)
})

for (const mutant of mutants) {
  test(`the mutant ${mutant.name} is caught: ${mutant.about}`, (t) => {
    const { failed, runs } = campaign({ seed: 'mutants', runs: mutant.runsMax, ...SIZE, mutations: mutant.mutations })
    t.is(failed?.failure.invariant, mutant.caughtBy, `not within ${runs} runs`)
  })
}

test('several nodes live in one world', (t) => {
  t.is(campaign({ seed: 'three', runs: 5, nodes: 3, seconds: 30, mutations: SOUND }).failed?.failure.what, undefined)
})

test('a plan is data: written, read and carried out, it gives the same run', (t) => {
  const plan = drawPlan('as-data', { seconds: 20 })
  const again = readPlan(JSON.stringify(plan))
  if (isRefused(again)) return t.fail(again.why)
  t.is(playTwice(again, SOUND).hash, playTwice(plan, SOUND).hash)
})

test('leaving out an event does not reshuffle the others', (t) => {
  const plan = drawPlan('streams', { seconds: 20 })
  const [first, ...rest] = plan.events
  t.truthy(first)
  t.deepEqual(rest, drawPlan('streams', { seconds: 20 }).events.slice(1))
})

test('a bad plan is refused by the field that is wrong', (t) => {
  const good = drawPlan('bad', { seconds: 5 })
  const refused = (change: object) => {
    const plan = readPlan(JSON.stringify({ ...good, ...change }))
    return isRefused(plan) ? plan.why : 'accepted'
  }
  t.is(refused({ format: 2 }), 'plan.format: must be 1, got 2')
  t.is(refused({ colour: 'red' }), 'plan.colour: unknown field')
  t.is(refused({ nodes: [] }), 'plan.nodes: must be a list of names')
  t.is(refused({ events: [{ atMs: 1, do: 'dance', node: 'n1' }] }), 'plan.events[0].do: unknown kind "dance"')
  t.is(refused({ events: [{ atMs: 1, do: 'crash', node: 'n9' }] }), 'plan.events[0].node: "n9" is not one of the plan\'s nodes')
  const noise = readPlan('{')
  t.regex(isRefused(noise) ? noise.why : '', /^plan: not JSON/)
})
