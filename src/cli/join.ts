import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const joinCommand = defineApiCommand({
  summary: 'Tell the agent to join a cluster',
  usage: 'join [options] ADDRESS ...',
  about: `
Tells the agent to join the cluster of the agents at these addresses. One that answers is enough.

    $ tribune join 10.0.0.7
`,
  answers: 'agent',
  flags: { wan: { kind: 'boolean', about: 'Join the servers of another datacenter.' } },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length === 0) return misused('At least one address to join must be specified.')
    let joined = 0
    for (const address of rest) {
      const reply = await http.request('PUT', `/v1/agent/join/${address}`, { params: { wan: flags.wan ? '1' : undefined } })
      if (isRefused(reply)) io.err(`Error joining address '${address}': ${reply.why}`)
      else joined++
    }
    if (joined === 0) return fail('Failed to join any nodes.')
    io.out(`Successfully joined cluster by contacting ${joined} nodes.`)
    return 0
  },
})
