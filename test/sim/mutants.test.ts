import test from 'ava'
import { campaign } from '../../sim/campaign.ts'
import { mutants, SOUND } from '../../sim/mutants/index.ts'
import { play } from '../../sim/play.ts'
import { scenarioNamed } from '../../sim/scenarios/index.ts'

// Which invariant is the first to notice depends on the plan; that each notices its own, the corpus shows.
for (const mutant of mutants) {
  const { runsMax, nodes } = mutant
  if (runsMax === undefined) continue
  test(`drawn plans catch the mutant ${mutant.name}: ${mutant.about}`, async (t) => {
    const scenario = mutant.scenario === undefined ? undefined : scenarioNamed(mutant.scenario)
    const { failed, runs } = await campaign({ seed: 'mutants', runs: runsMax, scenarios: scenario && [scenario], nodes, mutant, repeat: 0 })
    t.truthy(failed, `not within ${runs} runs`)
    if (failed) t.is(play(failed.plan, SOUND).failure?.what, undefined, 'the sound build holds under the same plan')
  })
}
