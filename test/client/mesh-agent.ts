import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { ExecutionContext } from 'ava'
import { createSigner } from '../../net/signer.ts'
import { type ConnectEvent, type ConnectOptions, type ConnectServer, connect, type Intention } from '../../src/client/index.ts'
import { listening } from '../kit/servers.ts'
import { certificateKit, type Material, serviceId, TRUST_DOMAIN } from '../net/mesh/kit.ts'

/** Certificates as an agent would have them, and others. */
export const kit = certificateKit(createSigner(), Date.now)

type Answer = { index: number; status: number; body: unknown }

/** An agent that says about the mesh what a test wants it to, and blocks as agents do. */
export type MeshAgent = {
  readonly address: string
  /** Bodies of the questions for an authorisation that came in. */
  readonly authorizations: Record<string, unknown>[]
  /** Refusals that were told, the newest last. */
  readonly decisions: Record<string, unknown>[]
  /** What was told of services, each with its `id`, the newest last. */
  readonly reports: Record<string, unknown>[]
  /** Ids of services that have said that they end. */
  readonly ended: string[]
  /** What a report is answered with, if not 200. */
  reportStatus: number
  /** Gives a service this certificate from now on. */
  leaf(service: string, material: Material, uri?: string): void
  roots(rootsPem: readonly string[], trustDomain?: string): void
  /** Replaces the intentions on a service; pairs of a source and an action. */
  intentions(service: string, rules: Record<string, 'allow' | 'deny'>): void
  /** Where a service can be reached; of an instance only what is given is as it says. */
  instances(service: string, instances: readonly { port: number; service?: string; host?: string }[]): void
  /** Any other answer, by path. */
  answer(path: string, status: number, body: unknown): void
  /** What holds where no intention matches. */
  defaultAllow: boolean
  /** Cuts every question off, and each that comes, until it is false again. */
  isAway: boolean
}

export async function meshAgent(t: ExecutionContext): Promise<MeshAgent> {
  const answers = new Map<string, Answer>()
  const parked = new Set<() => void>()
  const authorizations: Record<string, unknown>[] = []
  const decisions: Record<string, unknown>[] = []
  const reports: Record<string, unknown>[] = []
  const ended: string[] = []
  let index = 1
  let isAway = false
  const set = (path: string, body: unknown, status = 200) => {
    answers.set(path, { index: ++index, status, body })
    for (const look of [...parked]) look()
  }
  const read = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '', 'http://agent')
    const key = url.pathname.startsWith(MATCH) ? `${MATCH}${url.searchParams.get('name')}` : url.pathname
    const asked = Number(url.searchParams.get('index') ?? 0)
    const look = () => {
      const found = answers.get(key) ?? { index: 1, status: url.pathname.startsWith(MATCH) ? 200 : 404, body: emptyMatch(url) }
      if (found.index <= asked) return void parked.add(look)
      parked.delete(look)
      response.writeHead(found.status, { 'X-Consul-Index': String(found.index) })
      response.end(typeof found.body === 'string' ? found.body : JSON.stringify(found.body))
    }
    response.on('close', () => parked.delete(look))
    look()
  }
  const agent: Omit<MeshAgent, 'address'> = {
    authorizations,
    decisions,
    reports,
    ended,
    reportStatus: 200,
    defaultAllow: true,
    get isAway() {
      return isAway
    },
    set isAway(away) {
      isAway = away
      if (away) server.closeAllConnections()
    },
    leaf(service, { certPem, keyPem }, uri = serviceId(service)) {
      const times = { ValidAfter: new Date(0).toISOString(), ValidBefore: new Date(Date.now() + 3_600_000).toISOString() }
      const body = { SerialNumber: `serial ${index}`, CertPEM: certPem, PrivateKeyPEM: keyPem, Service: service, ServiceURI: uri, ...times }
      set(`/v1/agent/connect/ca/leaf/${service}`, body)
    },
    roots(rootsPem, trustDomain = TRUST_DOMAIN) {
      const roots = rootsPem.map((RootCert, at) => ({ ID: `root ${at}`, RootCert, Active: at === 0 }))
      set('/v1/agent/connect/ca/roots', { ActiveRootID: 'root 0', TrustDomain: trustDomain, Roots: roots })
    },
    intentions(service, rules) {
      const list = Object.entries(rules).map(([SourceName, Action]) => ({ SourceName, DestinationName: service, Action }))
      set(`${MATCH}${service}`, { [service]: list satisfies Partial<Intention>[] })
    },
    instances(name, instances) {
      const entries = instances.map(({ port, service = name, host = '127.0.0.1' }) => ({
        Node: { Datacenter: 'dc1', Address: host },
        Service: { Service: service, Port: port, Address: '' },
      }))
      set(`/v1/health/connect/${name}`, entries)
    },
    answer: (path, status, body) => set(path, body, status),
  }
  const server = createServer((request, response) => {
    if (isAway) return void request.socket.destroy()
    if (request.method === 'GET') return read(request, response)
    let text = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      const { pathname } = new URL(request.url ?? '', 'http://agent')
      if (pathname.startsWith(REPORT)) {
        const id = decodeURIComponent(pathname.slice(REPORT.length))
        if (request.method === 'DELETE') ended.push(id)
        else reports.push({ ...JSON.parse(text), id })
        response.statusCode = agent.reportStatus
        return void response.end()
      }
      if (pathname === '/v1/tribune/decisions') decisions.push(...JSON.parse(text))
      if (!request.url?.endsWith('/authorize')) return void response.end()
      authorizations.push(JSON.parse(text))
      response.end(JSON.stringify({ Authorized: agent.defaultAllow, Reason: 'Default behavior configured by ACLs' }))
    })
  })
  const port = await listening(t, server)
  t.teardown(() => server.closeAllConnections())
  return Object.assign(agent, { address: `127.0.0.1:${port}` })
}

/** An agent with a CA, and services in this process that are closed with the test. `events` are those of all. */
export async function openMesh(t: ExecutionContext, authority: ReturnType<typeof kit.authority>) {
  const agent = await meshAgent(t)
  const events: ConnectEvent[] = []
  agent.roots([authority.certPem])
  for (const service of ['web', 'api', 'db']) agent.leaf(service, authority.issue(serviceId(service)))
  const options: ConnectOptions = { address: agent.address, env: {}, log: (event) => events.push(event) }
  const open = async (name: string) => {
    const service = await connect.service(name, options)
    t.teardown(service.close)
    return service
  }
  /** Answers each piece with who sent it. */
  const echo = async (name: string): Promise<ConnectServer> => {
    const server = await connect.listen(
      name,
      (socket, { service }) => {
        socket.on('error', () => socket.destroy())
        socket.on('data', (piece) => socket.write(`${piece} from ${service}`))
        socket.on('end', () => socket.end())
      },
      { ...options, host: '127.0.0.1' },
    )
    t.teardown(() => server.close())
    agent.instances(name, [{ port: server.port }])
    return server
  }
  return { agent, events, open, echo }
}

const REPORT = '/v1/tribune/report/'
const MATCH = '/v1/connect/intentions/match'

function emptyMatch(url: URL): unknown {
  return url.pathname.startsWith(MATCH) ? { [url.searchParams.get('name') ?? '']: [] } : 'not found'
}
