import { type Config, type ConfigHost, loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type Agent, agentOf, type Estate } from '../estate.ts'
import { type AgentFolder, agentFolders } from './folders.ts'
import { placesOf, type SimulatedServices, simulatedServices } from './services.ts'
import { listed } from './words.ts'

/** Somebody's own agents and services, and what is to be said about how they are simulated. */
export type Own = { estate: Estate; notes: string[] }

/**
 * Reads the agents of a folder as they would read it themselves. Everything that cannot be used is in the refusal, by agent,
 * file and field; what is simulated otherwise than it is written is in the notes.
 */
export function loadOwn(dir: string, disk: ConfigHost): Result<Own> {
  const folders = agentFolders(dir, disk)
  if (isRefused(folders)) return folders
  const notes = new Notes()
  const problems: string[] = []
  const read = folders.flatMap((folder) => {
    const loaded = readAgent(folder, disk)
    if (!isRefused(loaded)) return [loaded]
    problems.push(`${folder.name}: ${loaded.why.trimEnd()}`)
    return []
  })
  problems.push(...clusterProblems(read))
  if (problems.length > 0) return refuse('invalid', problems.join('\n'))
  const placed = withAddresses(read, disk, notes)
  if (isRefused(placed)) return placed
  for (const { folder, warnings } of placed) for (const warning of warnings) notes.add(folder.name, warning)
  noteCluster(placed, notes)
  return { estate: estateOf(placed, notes), notes: notes.lines() }
}

type ReadAgent = { folder: AgentFolder; config: Config; warnings: string[]; address: string }

/** Who looks for an address of its own finds this one: it has none yet. */
const UNKNOWN_ADDRESS = '10.255.255.254'

function readAgent({ name, path }: AgentFolder, disk: ConfigHost, address = UNKNOWN_ADDRESS, flags: string[] = []): Result<ReadAgent> {
  const parsed = parseAgentFlags([...flags, '-data-dir=/data', `-config-dir=${path}`])
  if ('error' in parsed) return refuse('invalid', parsed.error)
  const host: ConfigHost = {
    readFile: disk.readFile,
    readFolder: disk.readFolder,
    hostname: () => name,
    interfaces: () => [{ name: 'eth0', address, family: 4, internal: false }],
  }
  const loaded = loadConfig({ flags: parsed.flags, host, purpose: 'simulate' })
  if (isRefused(loaded)) return loaded
  return { folder: { name, path }, ...loaded, address: loaded.config.addresses.advertise }
}

/** What is wrong with the agents of one cluster. */
function clusterProblems(agents: readonly ReadAgent[]): string[] {
  const problems: string[] = []
  const names = new Map<string, string>()
  for (const { folder, config } of agents) {
    const known = names.get(config.node.name.toLowerCase())
    if (/\s/.test(config.node.name)) {
      problems.push(
        `${folder.name}: node_name: ${JSON.stringify(config.node.name)} has a space: a simulation speaks of agents in sentences`,
      )
    }
    if (known !== undefined) problems.push(`${folder.name}: node_name: ${JSON.stringify(config.node.name)} is also the name of ${known}`)
    names.set(config.node.name.toLowerCase(), folder.name)
  }
  const [first] = agents
  for (const { folder, config } of agents) {
    if (config.datacenter === first?.config.datacenter) continue
    problems.push(
      `${folder.name}: datacenter: ${JSON.stringify(config.datacenter)}, but ${first?.folder.name} is in ${JSON.stringify(first?.config.datacenter)}: a simulation has one`,
    )
  }
  if (first && agents.every(({ config }) => config.services.length === 0))
    problems.push('no agent has a service: there is nothing to simulate')
  return problems
}

/** What a real cluster would make of these agents otherwise than the simulated one does. */
function noteCluster(agents: readonly ReadAgent[], notes: Notes): void {
  const servers = agents.filter(({ config }) => config.server)
  for (const { folder, config } of agents) {
    const expected = Number(config.keys['bootstrap_expect'])
    if (servers.length === 0) notes.add(folder.name, 'no agent says server = true: it is simulated as a server')
    if (expected > 0 && servers.length > 0 && expected !== servers.length) {
      notes.add(
        folder.name,
        `bootstrap_expect is ${expected}, and there are ${servers.length} servers: the simulated cluster starts anyway`,
      )
    }
  }
}

/** Every agent has an address of its own: the one it announces, or one from 10.0.0.0/8. */
function withAddresses(agents: readonly ReadAgent[], disk: ConfigHost, notes: Notes): Result<ReadAgent[]> {
  const counts = new Map<string, number>()
  for (const { address } of agents) counts.set(address, (counts.get(address) ?? 0) + 1)
  const isUsable = (address: string) => address !== UNKNOWN_ADDRESS && counts.get(address) === 1 && !isLocal(address)
  let number = 0
  const placed: ReadAgent[] = []
  for (const agent of agents) {
    if (isUsable(agent.address)) {
      placed.push(agent)
      continue
    }
    let address = ''
    do address = addressOf(++number)
    while (counts.has(address))
    if (agent.address !== UNKNOWN_ADDRESS && agents.length > 1) {
      const why = isLocal(agent.address) ? 'no other machine reaches it' : 'another agent announces it too'
      notes.add(agent.folder.name, `announces ${agent.address}, but ${why}: it is simulated with ${address}`)
    }
    const again = readAgent(agent.folder, disk, address, [`-bind=${address}`, `-advertise=${address}`])
    if (isRefused(again)) return refuse('invalid', `${agent.folder.name}: ${again.why}`)
    placed.push(again)
  }
  return placed
}

function isLocal(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

/** An address by its number, from 10.0.0.0/8. */
function addressOf(number: number): string {
  return `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`
}

function estateOf(read: readonly ReadAgent[], notes: Notes): Estate {
  const hasServers = read.some(({ config }) => config.server)
  const reachable = placesOf(read.map(({ config }) => config))
  const agents: Agent[] = []
  const all: SimulatedServices[] = []
  for (const { config, address, folder } of read) {
    const { name } = config.node
    const simulated = simulatedServices(config, reachable, (note) => notes.add(folder.name, note))
    all.push(simulated)
    const { connect, services: _written, ...rest } = config
    agents.push(
      agentOf(name, address, {
        ...rest,
        server: config.server || !hasServers,
        bootstrap: config.server || !hasServers,
        services: simulated.services,
        // Everything that stands there has become part of each service.
        connect: { ...connect, proxyDefaults: { ...connect.proxyDefaults, config: {} } },
      }),
    )
  }
  return {
    agents,
    applications: all.flatMap(({ applications }) => applications),
    upstreams: all.flatMap(({ upstreams }) => upstreams),
  }
}

/** Remarks on agents. What is said of several is one line. */
class Notes {
  readonly #agents = new Map<string, string[]>()

  add(agent: string, note: string): void {
    // Where it stands is another place for each agent.
    const text = note.replace(/ \([^()]+:\d+\)$/, '')
    const agents = this.#agents.get(text) ?? []
    this.#agents.set(text, agents)
    if (!agents.includes(agent)) agents.push(agent)
  }

  lines(): string[] {
    return [...this.#agents].map(([text, agents]) => `${listed(agents)}: ${text}`)
  }
}
