import { isRefused } from '../kernel/refusal.ts'
import { defineCommand } from './command.ts'
import { programName } from './io.ts'

/** Exit code when the arguments, the configuration or the scenario make no sense. */
const EXIT_MISUSED = 2

export const simCommand = defineCommand({
  summary: 'Simulate your agents and services under faults',
  usage: 'sim -config-dir=DIR [options]',
  about: `
Loads the configuration of your agents, one folder for each in DIR, or a single agent's files in DIR itself. Runs them all in a simulated world, in which machines stop, networks break and programs hang, and says in words of your services what broke.

Without a scenario, faults are drawn from a seed. A scenario is a JSON file with events and with what you expect:

    {
      "seconds": 60,
      "events": [{ "at": "10s", "do": "crash", "node": "n2", "for": "30s" }],
      "expect": ["web reaches db within 5s"]
    }

The exit code is 0 if nothing broke, 1 if an expectation or a promise of the agents was broken, and 2 if the arguments, the configuration or the scenario make no sense. What broke is saved as a scenario that shows it again.

    $ tribune sim -config-dir agents -scenario lose-db.json
`,
  exitMisused: EXIT_MISUSED,
  flags: {
    'config-dir': { kind: 'string', value: 'folder', about: 'Folder with a folder for each agent, or with the files of a single one.' },
    scenario: { kind: 'string', value: 'file', about: 'What is to happen, and what is expected. Without it, faults are drawn.' },
    runs: { kind: 'int', about: 'How many runs, each with chances of its own: 20 unless there is a scenario, then 1.' },
    seed: {
      kind: 'string',
      value: 'text',
      about: 'Where all chance comes from. Equal seeds give equal runs. Drawn and printed if not given.',
    },
    seconds: { kind: 'int', about: 'Virtual seconds with trouble in each run, 60 if not given; then everything must come to rest.' },
    faults: { kind: 'string', value: 'names', about: 'Kinds of trouble to draw, separated by commas; or "all", or "none".' },
    json: { kind: 'boolean', about: 'Print the results as JSON.' },
    save: { kind: 'string', value: 'file', about: 'Where to save the scenario that shows a failure again: sim-failed.json if not given.' },
  },
  async run({ flags, rest, io, misused }) {
    const configDir = flags['config-dir']
    if (rest.length > 0) return misused(`unexpected arguments: ${rest.join(' ')}`)
    if (configDir === undefined || configDir === '') return misused('-config-dir is required')
    const [{ simulateOwn }, { machine }, { writeFileSync }] = await Promise.all([
      import('../../sim/own/index.ts'),
      import('../config/index.ts'),
      import('node:fs'),
    ])
    const { scenario, runs, seed, seconds, faults, json = false, save = 'sim-failed.json' } = flags
    const drawnSeed = Math.floor(Math.random() * 2 ** 32).toString(16)
    const simulated = simulateOwn(
      { configDir, scenario, runs, seed, seconds, faults, json, savedAs: save, drawnSeed, program: programName(io) },
      {
        disk: machine,
        nowMs: () => performance.now(),
        out: io.out,
        tell: io.err,
        save(text) {
          try {
            writeFileSync(save, text)
            return null
          } catch (error) {
            return { refused: 'invalid', why: error instanceof Error ? error.message : String(error) }
          }
        },
      },
    )
    if (isRefused(simulated)) {
      io.err(simulated.why)
      return EXIT_MISUSED
    }
    return simulated.isBroken ? 1 : 0
  },
})
