import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const operatorRaftRemovePeerCommand = defineApiCommand({
  summary: 'Take a server out that will not come back',
  usage: 'operator raft remove-peer [options]',
  about: `
Removes a server by its ID or its address, for one that failed and could not leave.

    $ tribune operator raft remove-peer -id=1fc8f1d3-6a4b-2f0e-8a5e-0a4c3c1f7a11
`,
  answers: 'servers',
  flags: {
    address: { kind: 'string', about: 'IP address and port of the server.' },
    id: { kind: 'string', about: 'ID of the server.' },
  },
  async run({ flags: { address = '', id = '' }, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    if (address === '' && id === '') return fail('Error removing peer: an address or id is required for the peer to remove')
    if (address !== '' && id !== '') return fail('Error removing peer: cannot give both an address and id')
    const params = id === '' ? { address } : { id }
    const reply = await http.request('DELETE', '/v1/operator/raft/peer', { params })
    if (isRefused(reply)) return fail(`Error removing peer: ${reply.why}`)
    io.out(id === '' ? `Removed peer with address ${JSON.stringify(address)}` : `Removed peer with id ${JSON.stringify(id)}`)
    return 0
  },
})
