import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { byteOrder } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import type { HttpClient } from './http.ts'

const NODE_CHECK = '_node_maintenance'
const SERVICE_CHECK_PREFIX = '_service_maintenance:'

export const maintCommand = defineApiCommand({
  summary: 'Put the node or a service into maintenance, or take it out',
  usage: 'maint [options]',
  about: `
In maintenance a node or service is critical, so nobody is sent to it. It stays so over restarts of the agent, until it is disabled.

    $ tribune maint -enable -reason="new disk"
    $ tribune maint -disable -service=web

Without a flag it prints what is in maintenance now, and why.
`,
  answers: 'agent',
  flags: {
    disable: { kind: 'boolean', about: 'End the maintenance.' },
    enable: { kind: 'boolean', about: 'Begin the maintenance.' },
    reason: { kind: 'string', about: 'Why, for -enable; it shows in the notes of the check.' },
    service: { kind: 'string', about: 'ID of a service of this agent. Without it, the whole node is meant.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    if (flags.enable && flags.disable) return misused('Only one of -enable or -disable may be provided')
    if (!flags.enable && flags.reason !== undefined) return misused('Reason may only be provided with -enable')
    if (!flags.enable && !flags.disable && flags.service !== undefined) return misused('Service requires either -enable or -disable')
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    if (!flags.enable && !flags.disable) return list(http, asJson, io.write, fail)
    const path = flags.service === undefined ? '/v1/agent/maintenance' : `/v1/agent/service/maintenance/${flags.service}`
    const params = { enable: flags.enable ? 'true' : 'false', reason: flags.enable ? (flags.reason ?? '') : undefined }
    const reply = await http.request('PUT', path, { params })
    const what = flags.service === undefined ? 'node' : 'service'
    if (isRefused(reply)) return fail(`Error ${flags.enable ? 'enabling' : 'disabling'} ${what} maintenance: ${reply.why}`)
    const now = flags.enable ? 'enabled' : 'disabled'
    io.out(
      flags.service === undefined
        ? `Node maintenance is now ${now}`
        : `Service maintenance is now ${now} for ${JSON.stringify(flags.service)}`,
    )
    return 0
  },
})

type Check = { Node: string; CheckID: string; ServiceID: string; Notes: string }

async function list(http: HttpClient, asJson: boolean, write: (text: string) => void, fail: (why: string) => number): Promise<number> {
  const reply = await http.json<Record<string, Check>>('/v1/agent/checks')
  if (isRefused(reply)) return fail(`Error getting checks: ${reply.why}`)
  const checks = Object.values(reply.value)
    .filter(({ CheckID }) => CheckID === NODE_CHECK || CheckID.startsWith(SERVICE_CHECK_PREFIX))
    .sort((a, b) => byteOrder(a.CheckID, b.CheckID))
  if (asJson) write(`${listJson(checks)}\n`)
  else for (const check of checks) write(description(check))
  return 0
}

function description(check: Check): string {
  return check.CheckID === NODE_CHECK
    ? `Node:\n  Name:   ${check.Node}\n  Reason: ${check.Notes}\n\n`
    : `Service:\n  ID:     ${check.ServiceID}\n  Reason: ${check.Notes}\n\n`
}
