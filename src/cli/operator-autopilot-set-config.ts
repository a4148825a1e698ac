import { formatDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { FlagsOf, FlagTable } from './command.ts'

const FLAGS = {
  'cleanup-dead-servers': { kind: 'boolean', about: 'Whether servers that failed are removed once there are new ones.' },
  'disable-upgrade-migration': { kind: 'boolean', about: 'Only for Consul Enterprise; kept, without effect.' },
  'last-contact-threshold': {
    kind: 'duration',
    about: 'How long a server may be without contact to the leader and still count as healthy.',
  },
  'max-trailing-logs': { kind: 'uint', about: 'How many entries a server may be behind the leader and still count as healthy.' },
  'min-quorum': { kind: 'uint', about: 'How many servers stay even if they failed.' },
  'redundancy-zone-tag': { kind: 'string', about: 'Only for Consul Enterprise; kept, without effect.' },
  'server-stabilization-time': { kind: 'duration', about: 'How long a new server must be healthy before it gets a vote.' },
  'upgrade-version-tag': { kind: 'string', about: 'Only for Consul Enterprise; kept, without effect.' },
} as const satisfies FlagTable

export const operatorAutopilotSetConfigCommand = defineApiCommand({
  summary: 'Change how the servers look after themselves',
  usage: 'operator autopilot set-config [options]',
  about: `
Changes the settings that are given as flags; the others stay as they are.

    $ tribune operator autopilot set-config -cleanup-dead-servers=false
`,
  answers: 'servers',
  flags: FLAGS,
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const path = '/v1/operator/autopilot/configuration'
    const present = await http.json<{ ModifyIndex: number }>(path)
    if (isRefused(present)) return fail(`Error querying Autopilot configuration: ${present.why}`)
    const params = { cas: String(present.value.ModifyIndex) }
    const reply = await http.request('PUT', path, { params, body: { ...present.value, ...changesOf(flags) } })
    if (isRefused(reply)) return fail(`Error setting Autopilot configuration: ${reply.why}`)
    if (reply.body.toString('utf8').trim() !== 'true') return fail('Configuration could not be atomically updated, please try again')
    io.out('Configuration updated!')
    return 0
  },
})

function changesOf(flags: FlagsOf<typeof FLAGS>): object {
  const contact = flags['last-contact-threshold']
  const stable = flags['server-stabilization-time']
  const changes = {
    CleanupDeadServers: flags['cleanup-dead-servers'],
    DisableUpgradeMigration: flags['disable-upgrade-migration'],
    LastContactThreshold: contact === undefined ? undefined : formatDuration(contact),
    MaxTrailingLogs: flags['max-trailing-logs'],
    MinQuorum: flags['min-quorum'],
    RedundancyZoneTag: flags['redundancy-zone-tag'],
    ServerStabilizationTime: stable === undefined ? undefined : formatDuration(stable),
    UpgradeVersionTag: flags['upgrade-version-tag'],
  }
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined))
}
