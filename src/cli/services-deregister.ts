import { isRefused, type Result } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

export const servicesDeregisterCommand = defineApiCommand({
  summary: 'Deregister services from the agent',
  usage: 'services deregister [options] [FILE...]',
  about: `
Deregisters services from the agent, either the one with an ID or all that files define. A service that the agent does not know is fine.

    $ tribune services deregister -id=web
    $ tribune services deregister web.json

A service from the agent's own configuration files comes back when the agent reads them again.
`,
  answers: 'servers',
  namespaced: true,
  flags: { id: { kind: 'string', about: 'ID of the service.' } },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length === 0 && !flags.id) return misused('Service deregistration requires at least one argument or -id.')
    if (rest.length > 0 && flags.id) return misused('Service deregistration takes either files or -id, not both.')
    const ids = flags.id ? [flags.id] : await idsInFiles(rest, io.err)
    if (isRefused(ids)) return fail(`Error: ${ids.why}`)
    for (const id of ids) {
      const reply = await http.request('PUT', `/v1/agent/service/deregister/${id}`)
      if (isRefused(reply)) return fail(`Error deregistering service ${JSON.stringify(id)}: ${reply.why}`)
      io.out(`Deregistered service: ${id}`)
    }
    return 0
  },
})

async function idsInFiles(paths: readonly string[], warn: (line: string) => void): Promise<Result<string[]>> {
  const { servicesInFiles } = await import('./service-files.ts')
  const read = servicesInFiles(paths)
  if (isRefused(read)) return read
  for (const warning of read.warnings) warn(warning)
  return read.services.map(({ id }) => id)
}
