import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Mutant, mutants } from '../mutants/index.ts'
import { type Plan, readPlan, writePlan } from '../plan.ts'

/** The plan of a bug that was found once. With `mutant`, one that shows this known bug. */
export type CorpusEntry = { about: string; found: string; mutant: Mutant | undefined; plan: Plan }

export const CORPUS_FOLDER = 'sim/corpus'

/** Every plan of the corpus, in the order of their files. */
export function readCorpus(folder: string = import.meta.dirname): Result<{ file: string; entry: CorpusEntry }[]> {
  const entries: { file: string; entry: CorpusEntry }[] = []
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith('.json')) continue
    const entry = readEntry(readFileSync(join(folder, file), 'utf8'))
    if (isRefused(entry)) return refuse(entry.refused, `${CORPUS_FOLDER}/${file}: ${entry.why}`)
    entries.push({ file, entry })
  }
  return entries
}

/** Reads `{ about, found: 'YYYY-MM-DD', mutant?, plan }`. Every mistake is named by its field. */
export function readEntry(text: string): Result<CorpusEntry> {
  let written: unknown
  try {
    written = JSON.parse(text)
  } catch (error) {
    return refuse('invalid', `not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof written !== 'object' || written === null) return refuse('invalid', 'must be an object')
  const { about, found, mutant: name, plan: given, ...rest } = written as Record<string, unknown>
  const unknownField = Object.keys(rest)[0]
  if (unknownField !== undefined) return refuse('invalid', `${unknownField}: unknown field`)
  if (typeof about !== 'string' || about === '') return refuse('invalid', 'about: must say what was found')
  if (typeof found !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(found)) return refuse('invalid', 'found: must be a day such as "2026-01-31"')
  const mutant = mutants.find((mutant) => mutant.name === name)
  if (name !== undefined && !mutant) return refuse('invalid', `mutant: no mutant ${JSON.stringify(name)}`)
  const plan = readPlan(JSON.stringify(given ?? null))
  return isRefused(plan) ? plan : { about, found, mutant, plan }
}

/** An entry as text: what `readEntry` reads. */
export function writeEntry({ about, found, mutant, plan }: CorpusEntry): string {
  const head = { about, found, ...(mutant && { mutant: mutant.name }) }
  const lines = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`)
  return `{\n${lines.join('')}  "plan": ${writePlan(plan).trimEnd().replaceAll('\n', '\n  ')}\n}\n`
}
