import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

type Server = { Node: string; ID: string; Address: string; Leader: boolean; Voter: boolean; ProtocolVersion: string }

export const operatorRaftListPeersCommand = defineApiCommand({
  summary: 'List the servers that keep the state together',
  usage: 'operator raft list-peers [options]',
  about: `
Lists the servers, which of them leads, and which have a vote.

    $ tribune operator raft list-peers
`,
  answers: 'servers',
  flags: { ...listFormatFlags },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<{ Servers: Server[] }>('/v1/operator/raft/configuration')
    if (isRefused(reply)) return fail(`Error getting peers: Failed to retrieve raft configuration: ${reply.why}`)
    const { Servers: servers } = reply.value
    io.out(asJson ? listJson(servers) : columns([['Node', 'ID', 'Address', 'State', 'Voter', 'RaftProtocol'], ...servers.map(rowOf)]))
    return 0
  },
})

function rowOf({ Node, ID, Address, Leader, Voter, ProtocolVersion }: Server): string[] {
  return [Node, ID, Address, Leader ? 'leader' : 'follower', String(Voter), ProtocolVersion || '<=1']
}
