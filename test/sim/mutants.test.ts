import test from 'ava'
import { campaign } from '../../sim/campaign.ts'
import { mutants, SOUND } from '../../sim/mutants/index.ts'
import { play } from '../../sim/play.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

for (const mutant of mutants) {
  test(`the mutant ${mutant.name} is caught: ${mutant.about}`, async (t) => {
    const { runsMax, caughtBy, nodes } = mutant
    const scenario = mutant.scenario === undefined ? undefined : scenarioNamed(mutant.scenario)
    const { failed, runs } = await campaign({ seed: 'mutants', runs: runsMax, scenarios: scenario && [scenario], nodes, mutant, repeat: 0 })
    t.is(failed?.failure.invariant, caughtBy, `within ${runs} runs: ${failed?.failure.what}`)
    if (failed) t.is(play(failed.plan, SOUND).failure?.what, undefined, 'the sound build holds under the same plan')
  })
}
