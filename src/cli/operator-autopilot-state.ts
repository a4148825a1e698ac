import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

type Server = { ID: string; Meta: Record<string, string> | null } & Record<string, unknown>
type State = {
  Healthy: boolean
  FailureTolerance: number
  OptimisticFailureTolerance: number
  Leader: string
  Voters: string[] | null
  Servers: Record<string, Server>
}

const SERVER_ROWS: [label: string, field: string][] = [
  ['Name:', 'Name'],
  ['Address:', 'Address'],
  ['Version:', 'Version'],
  ['Status:', 'Status'],
  ['Node Type:', 'NodeType'],
  ['Node Status:', 'NodeStatus'],
  ['Healthy:', 'Healthy'],
  ['Last Contact:', 'LastContact'],
  ['Last Term:', 'LastTerm'],
  ['Last Index:', 'LastIndex'],
]

export const operatorAutopilotStateCommand = defineApiCommand({
  summary: 'Show how the servers are',
  usage: 'operator autopilot state [options]',
  about: `
Shows how the servers are, which of them leads, and how many may fail.

    $ tribune operator autopilot state
`,
  answers: 'servers',
  flags: {
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<State>('/v1/operator/autopilot/state')
    if (isRefused(reply)) return fail(`Error querying Autopilot state: ${reply.why}`)
    io.out(asJson ? listJson(reply.value) : shown(reply.value))
    return 0
  },
})

function shown(state: State): string {
  return [
    `Healthy:                      ${state.Healthy}`,
    `Failure Tolerance:            ${state.FailureTolerance}`,
    `Optimistic Failure Tolerance: ${state.OptimisticFailureTolerance}`,
    `Leader:                       ${state.Leader}`,
    'Voters:',
    ...(state.Voters ?? []).map((id) => `   ${id}`),
    'Servers:',
    ...Object.values(state.Servers).flatMap(serverLines),
  ].join('\n')
}

function serverLines(server: Server): string[] {
  const meta = Object.entries(server.Meta ?? {}).map(([name, value]) => `         ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  return [
    `   ${server.ID}`,
    ...SERVER_ROWS.map(([label, field]) => `      ${label.padEnd(17)}${server[field]}`),
    ...(meta.length > 0 ? ['      Meta', ...meta] : []),
  ]
}
