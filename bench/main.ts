import { resolve } from 'node:path'
import { benchmarks } from './index.ts'
import { busyElsewhere } from './kit/busy.ts'
import { openStage } from './kit/stage.ts'
import { howToInstall, pathOf } from './kit/tools.ts'
import { type Line, tableOf } from './table.ts'

/** Begins the option that has agents profiled. */
const PROFILES = '--profiles='
/** More than this at work on other things makes figures look worse than they are. */
const BUSY_PART_MAX = 0.1

/** Runs all benchmarks, or those named by the arguments, one after another, and prints one table. */
async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !arg.startsWith('--'))
  const wrong = args.find((arg) => arg.startsWith('--') && !arg.startsWith(PROFILES))
  if (wrong !== undefined) {
    console.error(`There is no option ${wrong}, only ${PROFILES}DIRECTORY, where agents then leave a .cpuprofile of each thread.`)
    return 1
  }
  const profiles = args.find((arg) => arg.startsWith(PROFILES))?.slice(PROFILES.length)
  const unknown = names.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name))
  if (unknown.length > 0) {
    console.error(`There is no benchmark ${unknown.join(', ')}. There are:`)
    for (const { name, about } of benchmarks) console.error(`  ${name.padEnd(14)}${about}`)
    return 1
  }
  const wanted = benchmarks.filter(({ name }) => names.length === 0 || names.includes(name))
  const lines: Line[] = []
  const disturbed: string[] = []
  let failed = 0
  for (const { name, about, needs, run } of wanted) {
    const missing = needs.filter((tool) => pathOf(tool) === undefined)
    if (missing.length > 0) {
      lines.push({ name, skipped: `needs ${missing.join(', ')}: ${howToInstall(missing)}` })
      continue
    }
    console.error(`${name}: ${about}`)
    const busyPart = await busyElsewhere()
    if (busyPart > BUSY_PART_MAX) disturbed.push(`${name} (${Math.round(busyPart * 100)} %)`)
    const stage = openStage(profiles && resolve(profiles))
    const interrupted = () => void stage.close().then(() => process.exit(130))
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
    try {
      lines.push(...(await run(stage)))
    } catch (error) {
      failed++
      lines.push({ name, skipped: `failed: ${error instanceof Error ? error.message : String(error)}` })
    } finally {
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', interrupted)
      await stage.close()
    }
  }
  console.log(`\n${tableOf(lines)}`)
  if (disturbed.length > 0)
    console.log(`\nThe machine was busy with other things just before: ${disturbed.join(', ')}. Expect better figures on an idle one.`)
  return failed === 0 ? 0 : 1
}

process.exit(await main(process.argv.slice(2)))
