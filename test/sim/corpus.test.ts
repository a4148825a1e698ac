import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readCorpus, readEntry, writeEntry } from '../../sim/corpus/index.ts'
import { mutants, SOUND } from '../../sim/mutants/index.ts'
import { drawPlan, readPlan, writePlan } from '../../sim/plan.ts'
import { play, playTwice } from '../../sim/play.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const corpus = readCorpus()
if (isRefused(corpus)) throw new Error(corpus.why)

for (const { file, entry } of corpus) {
  test(`${file} holds: ${entry.about}`, (t) => {
    t.is(playTwice(entry.plan, SOUND).failure?.what, undefined)
  })
  const { mutant } = entry
  if (!mutant) continue
  test(`${file} shows the mutant ${mutant.name}`, (t) => {
    t.is(play(entry.plan, mutant.mutations).failure?.invariant, mutant.caughtBy)
  })
}

test('every mutant has a plan that shows it', (t) => {
  const shown = corpus.map(({ entry }) => entry.mutant?.name)
  t.deepEqual(
    mutants.map(({ name }) => name).filter((name) => !shown.includes(name)),
    [],
  )
})

test('what is written is what is read', (t) => {
  const plan = drawPlan('written', { nodes: 3, seconds: 10 })
  t.deepEqual(readPlan(writePlan(plan)), plan)
  t.deepEqual(readPlan(writePlan({ ...plan, events: [] })), { ...plan, events: [] })
  for (const mutant of [undefined, mutants[0]]) {
    const entry = { about: 'a "quoted"\nthing', found: '2026-01-31', mutant, plan }
    t.deepEqual(readEntry(writeEntry(entry)), entry)
  }
})

test('a bad entry is refused by the file and the field that is wrong', (t) => {
  const good = { about: 'a bug', found: '2026-01-31', plan: drawPlan('bad', { nodes: 1, seconds: 5 }) }
  const why = (text: string) => {
    const entry = readEntry(text)
    return isRefused(entry) ? entry.why : 'accepted'
  }
  const refused = (change: object) => why(JSON.stringify({ ...good, ...change }))
  t.is(refused({}), 'accepted')
  t.is(refused({ about: '' }), 'about: must say what was found')
  t.is(refused({ found: 'yesterday' }), 'found: must be a day such as "2026-01-31"')
  t.is(refused({ mutant: 'x-man' }), 'mutant: no mutant "x-man"')
  t.is(refused({ colour: 'red' }), 'colour: unknown field')
  t.is(refused({ plan: undefined }), 'plan: must be an object')
  t.is(refused({ plan: { ...good.plan, quietAtMs: -1 } }), 'plan.quietAtMs: must be a positive number of milliseconds')
  t.is(why('[]'), 'about: must say what was found')
  t.is(why('null'), 'must be an object')
  t.regex(why('{'), /^not JSON: /)

  const folder = temporaryDirectory(t)
  writeFileSync(join(folder, 'one.json'), '{}')
  const read = readCorpus(folder)
  t.is(isRefused(read) ? read.why : 'accepted', 'sim/corpus/one.json: about: must say what was found')
})
