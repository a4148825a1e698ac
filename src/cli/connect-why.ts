import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

/** Answer of /v1/tribune/connect/why. */
type Why = { Source: string; Destination: string; Works: boolean; Broken: string; Steps: Step[] }
type Step = { Name: string; State: string; Seen: string; Advice?: string }

export const connectWhyCommand = defineApiCommand({
  summary: 'Say why one service cannot reach another',
  usage: 'connect why [options] SRC DST',
  about: `
Walks everything that a connection over the mesh needs, from the catalog to the application behind the destination's sidecar, and names the first link that is broken, with a suggestion. The agent tries the ports of the destination itself; what can be seen on other nodes only is said to be unknown.

    $ tribune connect why web db

The exit code is 0 if nothing is broken as far as it can be seen, 1 otherwise.
`,
  answers: 'agent',
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    const [source, destination] = rest
    if (source === undefined || destination === undefined || rest.length !== 2) {
      return misused('Error: Must specify two arguments: source and destination')
    }
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<Why>('/v1/tribune/connect/why', { source, destination })
    if (isRefused(reply)) return fail(`Error looking at the connection: ${reply.why}`)
    io.out(asJson ? listJson(reply.value) : walk(reply.value))
    return reply.value.Works ? 0 : 1
  },
})

function walk({ Source, Destination, Broken, Steps }: Why): string {
  const pair = `${Source} => ${Destination}`
  const broken = Steps.find(({ Name }) => Name === Broken)
  const unknown = Steps.filter(({ State }) => State === 'unknown').map(({ Name }) => Name)
  const verdict = broken
    ? [`${pair}: ${broken.Name}: ${broken.Seen}`, ...(broken.Advice === undefined ? [] : [`Suggestion: ${broken.Advice}`])]
    : [`${pair}: nothing is broken${unknown.length > 0 ? ` as far as it can be seen from here (unknown: ${unknown.join(', ')})` : ''}`]
  return [...verdict, '', columns(Steps.map(({ State, Name, Seen }) => [State, Name, Seen]))].join('\n')
}
