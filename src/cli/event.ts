import { isRefused } from '../kernel/refusal.ts'
import { compileRegexp } from '../kernel/regexp.ts'
import { defineApiCommand } from './api-command.ts'
import { parseJson } from './http.ts'

export const eventCommand = defineApiCommand({
  summary: 'Send an event to all agents',
  usage: 'event [options] [PAYLOAD]',
  about: `
Sends a named event to every agent of the datacenter. Agents keep the newest ones and tell those who watch for them. An event is not
kept over a restart, and events may arrive in another order than they were sent.

    $ tribune event -name=deploy -service=web 1.4.2

Filters are regular expressions. An agent whose node, service or tag does not match passes the event over.
`,
  answers: 'agent',
  flags: {
    name: { kind: 'string', about: 'Name of the event. Required.' },
    node: { kind: 'string', about: 'Only for agents whose node name matches.' },
    service: { kind: 'string', about: 'Only for agents with a service whose id matches.' },
    tag: { kind: 'string', about: 'Only for agents with a service (see -service) that has a matching tag.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    const { name = '', node = '', service = '', tag = '' } = flags
    if (name === '') return misused('Event name must be specified')
    const [payload, ...more] = rest
    if (more.length > 0) return misused('Too many command line arguments.')
    for (const [what, filter] of Object.entries({ node, service, tag })) {
      const regexp = compileRegexp(filter)
      if (isRefused(regexp)) return fail(`Failed to compile ${what} filter regexp: ${regexp.why}`)
    }
    if (tag !== '' && service === '') return fail('Cannot provide tag filter without service filter.')
    const params = { node: node || undefined, service: service || undefined, tag: tag || undefined }
    const reply = await http.request('PUT', `/v1/event/fire/${name}`, { params, body: payload ?? '' })
    if (isRefused(reply)) return fail(`Error firing event: ${reply.why}`)
    const fired = parseJson<{ ID: string }>(reply.body.toString('utf8'), '/v1/event/fire')
    if (isRefused(fired)) return fail(`Error firing event: ${fired.why}`)
    io.out(`Event ID: ${fired.value.ID}`)
    return 0
  },
})
