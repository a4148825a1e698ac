import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineCommand } from './command.ts'

/** The version of Consul whose interfaces the program speaks. */
const CONSUL_VERSION = '1.10.12'
const PROTOCOL = { Default: 2, Min: 2, Max: 3 }

export const versionCommand = defineCommand({
  summary: 'Show the version',
  usage: 'version [options]',
  about: `
Prints the version of the program, the version of Consul whose interfaces it speaks, and the protocols between agents.

    $ tribune version -format=json
`,
  flags: { format: { kind: 'string', about: 'How to print it: "pretty" for people, which is the default, or "json" for programs.' } },
  run({ flags, rest, io, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const format = flags.format ?? 'pretty'
    if (format !== 'pretty' && format !== 'json') return fail(`Unknown format: ${format}`)
    const version = packageVersion()
    if (format === 'json') {
      const facts = { Version: CONSUL_VERSION, Revision: '', Prerelease: '', RPC: PROTOCOL, Tribune: version }
      io.out(JSON.stringify(facts, undefined, 3))
      return 0
    }
    io.out(`Tribune v${version}`)
    io.out(`Consul v${CONSUL_VERSION} compatible`)
    io.out(
      `Protocol ${PROTOCOL.Default} spoken by default, understands ${PROTOCOL.Min} to ${PROTOCOL.Max} (agent will automatically use protocol >2 when speaking to compatible agents)\n`,
    )
    return 0
  },
})

/** From the nearest package.json above this file, which may be in `src/` or in `dist/src/`. */
function packageVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const text = readIfThere(join(folder, 'package.json'))
    if (text === undefined) continue
    const { version } = JSON.parse(text) as { version: string }
    return version
  }
  throw new Error('broken promise: the program lies in a package')
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
