import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const monitorCommand = defineApiCommand({
  summary: "Follow an agent's log",
  usage: 'monitor [options]',
  about: `
Prints what the agent logs from now on, at any level, whatever level its own log has. It ends with an interrupt or with the agent.

    $ tribune monitor -log-level=debug
`,
  answers: 'agent',
  flags: {
    'log-json': { kind: 'boolean', about: 'One JSON object a line.' },
    'log-level': { kind: 'string', about: 'The lowest level that is shown: trace, debug, info (which is the default), warn or err.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const { signal } = io
    let hasBegun = false
    const began = () => (hasBegun = true)
    const params = { loglevel: flags['log-level'], logjson: flags['log-json'] ? 'true' : undefined }
    const reply = await http.request('GET', '/v1/agent/monitor', {
      params,
      take: (piece) => io.write(piece),
      began,
      ...(signal && { signal }),
    })
    if (signal?.aborted) return 0
    if (isRefused(reply) && !hasBegun) return fail(`Error starting monitor: ${reply.why}`)
    io.out('\nRemote side ended the monitor! This usually means that the\nremote side has exited or crashed.')
    return 1
  },
})
