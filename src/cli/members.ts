import { isRefused } from '../kernel/refusal.ts'
import { compileRegexp } from '../kernel/regexp.ts'
import { defineApiCommand } from './api-command.ts'
import { byteOrder, columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

/** The exit code when no member fits. */
const EXIT_NONE = 2

export const membersCommand = defineApiCommand({
  summary: 'List the members of the cluster',
  usage: 'members [options]',
  about: `
Lists the agents of the cluster as the agent that is asked sees them, with their addresses and whether they are alive. The exit code is 2 if none fits.

    $ tribune members
    $ tribune members -status=alive -detailed
`,
  answers: 'agent',
  flags: {
    detailed: { kind: 'boolean', about: 'Print the tags of each member instead of the columns made from them.' },
    segment: { kind: 'string', about: 'Only members of this network segment. Agents without segments refuse any but "_all" and "".' },
    status: { kind: 'string', about: 'Only members whose status has a part that fits this regular expression. The default is ".*".' },
    wan: { kind: 'boolean', about: 'Ask a server for the servers of all datacenters.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const status = compileRegexp(flags.status ?? '.*')
    if (isRefused(status)) return fail(`Failed to compile status regexp: ${status.why}`)
    const params = { segment: flags.wan ? flags.segment : (flags.segment ?? '_all'), wan: flags.wan ? '1' : undefined }
    const reply = await http.json<Member[] | null>('/v1/agent/members', params)
    if (isRefused(reply)) return fail(`Error retrieving members: ${reply.why}`)
    const members = (reply.value ?? [])
      .filter((member) => status.matches(statusOf(member)))
      .sort((a, b) => byteOrder(a.Name, b.Name) || byteOrder(a.Tags['segment'] ?? '', b.Tags['segment'] ?? ''))
    if (members.length === 0) return EXIT_NONE
    io.out(asJson ? listJson(members) : columns(flags.detailed ? detailedRows(members) : standardRows(members)))
    return 0
  },
})

type Member = { Name: string; Addr: string; Port: number; Tags: Record<string, string>; Status: number }

const STATUS_NAMES = ['none', 'alive', 'leaving', 'left', 'failed']

function statusOf({ Status }: Member): string {
  return STATUS_NAMES[Status] ?? `unknown status: ${Status}`
}

function standardRows(members: readonly Member[]): string[][] {
  return [
    ['Node', 'Address', 'Status', 'Type', 'Build', 'Protocol', 'DC', 'Segment'],
    ...members.map((member) => {
      const tags = member.Tags
      const shared = [member.Name, addressOf(member), statusOf(member)]
      const build = (tags['build'] ?? '').replace(/:.*$/, '')
      if (tags['role'] === 'consul') return [...shared, 'server', build, tags['vsn'] ?? '', tags['dc'] ?? '', '<all>']
      if (tags['role'] === 'node') return [...shared, 'client', build, tags['vsn'] ?? '', tags['dc'] ?? '', tags['segment'] || '<default>']
      return [...shared, 'unknown', '', '', '', '']
    }),
  ]
}

function detailedRows(members: readonly Member[]): string[][] {
  return [
    ['Node', 'Address', 'Status', 'Tags'],
    ...members.map((member) => {
      const tags = Object.entries(member.Tags).map(([name, value]) => `${name}=${value}`)
      return [member.Name, addressOf(member), statusOf(member), tags.sort(byteOrder).join(',')]
    }),
  ]
}

function addressOf({ Addr, Port }: Member): string {
  return Addr.includes(':') ? `[${Addr}]:${Port}` : `${Addr}:${Port}`
}
