import { COMPATIBLE_VERSION, VERSION } from '../version.ts'
import { defineCommand } from './command.ts'

const PROTOCOL = { Default: 2, Min: 2, Max: 3 }

export const versionCommand = defineCommand({
  summary: 'Show the version',
  usage: 'version [options]',
  about: `
Prints the version of the program, the version of Consul whose interfaces it speaks, and the protocols between agents.

    $ tribune version -format=json
`,
  flags: {
    format: {
      kind: 'string',
      values: ['json', 'pretty'],
      about: 'How to print it: "pretty" for people, which is the default, or "json" for programs.',
    },
  },
  run({ flags, rest, io, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const format = flags.format ?? 'pretty'
    if (format !== 'pretty' && format !== 'json') return fail(`Unknown format: ${format}`)
    if (format === 'json') {
      const facts = { Version: COMPATIBLE_VERSION, Revision: '', Prerelease: '', RPC: PROTOCOL, Tribune: VERSION }
      io.out(JSON.stringify(facts, undefined, 3))
      return 0
    }
    io.out(`Tribune v${VERSION}`)
    io.out(`Consul v${COMPATIBLE_VERSION} compatible`)
    io.out(
      `Protocol ${PROTOCOL.Default} spoken by default, understands ${PROTOCOL.Min} to ${PROTOCOL.Max} (agent will automatically use protocol >2 when speaking to compatible agents)\n`,
    )
    return 0
  },
})
