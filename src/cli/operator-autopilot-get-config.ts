import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

type Settings = Record<string, string | number | boolean>

const NAMES = ['CleanupDeadServers', 'LastContactThreshold', 'MaxTrailingLogs', 'MinQuorum', 'ServerStabilizationTime']
const QUOTED_NAMES = ['RedundancyZoneTag', 'UpgradeVersionTag']

export const operatorAutopilotGetConfigCommand = defineApiCommand({
  summary: 'Show how the servers look after themselves',
  usage: 'operator autopilot get-config [options]',
  about: `
Shows the settings by which servers that failed are removed and new ones get a vote.

    $ tribune operator autopilot get-config
`,
  answers: 'servers',
  flags: { ...listFormatFlags },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<Settings>('/v1/operator/autopilot/configuration')
    if (isRefused(reply)) return fail(`Error querying Autopilot configuration: ${reply.why}`)
    const { value } = reply
    const [zone, upgrade] = QUOTED_NAMES.map((name) => `${name} = ${JSON.stringify(value[name] ?? '')}`)
    const lines = [
      ...NAMES.map((name) => `${name} = ${value[name]}`),
      zone,
      `DisableUpgradeMigration = ${value['DisableUpgradeMigration']}`,
      upgrade,
    ]
    io.out(asJson ? listJson(value) : lines.join('\n'))
    return 0
  },
})
