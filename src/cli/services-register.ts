import { isIPv6 } from 'node:net'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { FlagsOf, FlagTable } from './command.ts'

const registerFlags = {
  address: { kind: 'string', about: "Address of the service. Without it, the agent's own." },
  id: { kind: 'string', about: 'ID of the service, if the agent has several of one name. Without it, the name.' },
  kind: { kind: 'string', about: 'What the service is, such as "connect-proxy". Without it, an ordinary service.' },
  meta: { kind: 'pairs', about: 'A note of the form key=value to keep with the service. May be repeated.' },
  name: { kind: 'string', about: 'Name under which the service is found.' },
  port: { kind: 'int', about: 'Port of the service.' },
  socket: { kind: 'string', about: 'Path of the UNIX socket of the service.' },
  tag: { kind: 'strings', about: 'A tag by which instances can be told apart. May be repeated.' },
  'tagged-address': {
    kind: 'pairs',
    about: 'Another address of the service, of the form name=address:port, such as wan=192.0.2.7:80. May be repeated.',
  },
} as const satisfies FlagTable

export const servicesRegisterCommand = defineApiCommand({
  summary: 'Register services with the agent',
  usage: 'services register [options] [FILE...]',
  about: `
Registers services with the agent, either one that the flags describe or all that files define in the form of the agent's configuration, JSON or HCL.

    $ tribune services register -name=web -port=8080
    $ tribune services register web.json

The agent keeps them, also over a restart, until they are deregistered.
`,
  answers: 'servers',
  namespaced: true,
  flags: registerFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    const described = Object.keys(registerFlags).some((name) => Object.hasOwn(flags, name))
    if (rest.length === 0 && !described) return misused('Service registration requires at least one argument or flags.')
    if (rest.length > 0 && described) return misused('Service registration takes either files or flags that describe a service, not both.')
    const services = rest.length > 0 ? await fromFiles(rest, io.err) : fromFlags(flags)
    if (isRefused(services)) return fail(`Error: ${services.why}`)
    for (const { name, body } of services) {
      const reply = await http.request('PUT', '/v1/agent/service/register', { body })
      if (isRefused(reply)) return fail(`Error registering service ${JSON.stringify(name)}: ${reply.why}`)
      io.out(`Registered service: ${name}`)
    }
    return 0
  },
})

type Registration = { name: string; body: object }

async function fromFiles(paths: readonly string[], warn: (line: string) => void): Promise<Result<Registration[]>> {
  const { servicesInFiles } = await import('./service-files.ts')
  const { serviceBody } = await import('./service-body.ts')
  const read = servicesInFiles(paths)
  if (isRefused(read)) return read
  for (const warning of read.warnings) warn(warning)
  return read.services.map((service) => ({ name: service.name, body: serviceBody(service) }))
}

function fromFlags(flags: FlagsOf<typeof registerFlags>): Result<Registration[]> {
  const name = flags.name ?? ''
  if (name === '') return refuse('invalid', '-name is missing: a service needs a name')
  const tagged: Record<string, { Address: string; Port: number }> = {}
  for (const [kind, text] of Object.entries(flags['tagged-address'] ?? {})) {
    const address = parseAddress(text, flags.port ?? 0)
    if (isRefused(address)) return refuse('invalid', `-tagged-address ${kind}: ${address.why}`)
    tagged[kind] = address
  }
  const body = {
    ...(flags.kind ? { Kind: flags.kind } : {}),
    ...(flags.id ? { ID: flags.id } : {}),
    Name: name,
    ...(flags.tag ? { Tags: flags.tag } : {}),
    ...(flags.port ? { Port: flags.port } : {}),
    ...(flags.address ? { Address: flags.address } : {}),
    ...(flags.socket ? { SocketPath: flags.socket } : {}),
    ...(flags.meta ? { Meta: flags.meta } : {}),
    ...(Object.keys(tagged).length > 0 ? { TaggedAddresses: tagged } : {}),
  }
  return [{ name, body }]
}

/** `address:port`, `[address]:port`, or an address alone, which has the port of the service. */
function parseAddress(text: string, portOfService: number): Result<{ Address: string; Port: number }> {
  if (isIPv6(text)) return { Address: text, Port: portOfService }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  const address = bracketed ?? plain
  if (address === undefined) return refuse('invalid', `${JSON.stringify(text)} is not of the form address:port`)
  if (Number(port ?? 0) > 65_535) return refuse('invalid', `port ${port} is larger than 65535`)
  return { Address: address, Port: port === undefined ? portOfService : Number(port) }
}
