import type { ServiceDefinition } from '../actors/definitions.ts'
import type { Config } from '../src/config/config.ts'
import { hostInMemory } from '../src/config/host.ts'
import { loadConfig, parseAgentFlags } from '../src/config/index.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { createRandom } from './streams.ts'

/** One agent: its configuration, and the address by which others reach its machine. */
export type Agent = { name: string; address: string; config: Config }
/** A program that runs behind a service: it listens, and sends back what it gets. */
export type Application = { node: string; service: string; id: string; address: string; port: number }
/** Where the program behind `source` dials to reach `destination`. */
export type Upstream = { node: string; source: string; destination: string; address: string; port: number }

/** Everything that runs: agents, the programs on their machines and whom these want to reach. */
export type Estate = { agents: Agent[]; applications: Application[]; upstreams: Upstream[] }

export type AgentFiles = { name: string; address: string; files: Record<string, string>; flags: string[] }

/** Loads configurations that must be good. */
export function estateOf(agents: readonly AgentFiles[]): Estate {
  const loaded = agents.map((agent) => {
    const result = loadAgent(agent)
    if (isRefused(result)) throw new Error(result.why)
    return result
  })
  return populated(loaded)
}

/** Reads the configuration of one agent as it would itself. */
export function loadAgent({ name, address, files, flags }: AgentFiles): Result<Agent> {
  const parsed = parseAgentFlags([`-bind=${address}`, `-node=${name}`, ...flags])
  if ('error' in parsed) return refuse('invalid', parsed.error)
  const loaded = loadConfig({ flags: parsed.flags, host: hostInMemory(files, name, address) })
  if (isRefused(loaded)) return loaded
  return agentOf(name, address, loaded.config)
}

/** An agent with this configuration. Ids that a machine would have drawn by chance are the same in every run. */
export function agentOf(name: string, address: string, config: Config): Agent {
  const id = createRandom(`node-id/${name}`).uuid()
  return { name, address, config: { ...config, boot: 'simulated', node: { ...config.node, id } } }
}

/** The estate of these agents: behind each of their services runs a program. */
export function populated(agents: Agent[]): Estate {
  const applications = agents.flatMap(({ name, config }) => config.services.flatMap((service) => applicationOf(name, service)))
  const upstreams = agents.flatMap(({ name, config }) => config.services.flatMap((service) => upstreamsOf(name, service)))
  return { agents, applications, upstreams }
}

function applicationOf(node: string, { name, id, port, kind }: ServiceDefinition): Application[] {
  return port > 0 && kind === '' ? [{ node, service: name, id, address: '127.0.0.1', port }] : []
}

function upstreamsOf(node: string, { name, connect }: ServiceDefinition): Upstream[] {
  return (connect?.proxy?.config.upstreams ?? []).map(({ destinationName, localBindAddress, localBindPort }) => ({
    node,
    source: name,
    destination: destinationName,
    address: localBindAddress || '127.0.0.1',
    port: localBindPort,
  }))
}
