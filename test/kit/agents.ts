import { mkdirSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type FreePorts, freePorts } from './free-ports.ts'
import { type Ended, type Running, runProgram, startProgram, WITHIN_MS } from './running.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export { temporaryDirectory }

export const TRIBUNE = fileURLToPath(new URL('../../bin/tribune', import.meta.url))
const PROXY_PORTS = 12
/** Many processes that start at once on a machine that has much else to do. */
const START_WITHIN_MS = 90_000

/** What an agent of a test is started with. */
export type AgentSetup = {
  /** In front of the flags that say where to listen. Default: `-dev`. */
  args?: readonly string[]
  /** Configuration files by name, in a folder of their own. */
  files?: Readonly<Record<string, string | object>>
  /** From an agent before, to have its ports again. */
  ports?: AgentPorts
  /** Default: `TRIBUNE`. */
  program?: string
  /** A shell line that runs `"$@"`. */
  wrapped?: string
  env?: Readonly<Record<string, string>>
}

export type AgentPorts = {
  http: number
  dns: number
  server: number
  serfLan: number
  serfWan: number
  proxies: { from: number; to: number }
}

export type Reply = { status: number; headers: IncomingHttpHeaders; text: string }

export type Agent = Running & {
  readonly ports: AgentPorts
  /** The folder of the configuration files. */
  readonly folder: string
  /** host:port of the HTTP API. */
  readonly address: string
  http(method: string, path: string, body?: string | object, withinMs?: number): Promise<Reply>
  /** GET; anything but status 200 is an error. */
  json<Body>(path: string): Promise<Body>
  /** Runs a command that speaks to this agent. */
  tribune(...args: string[]): Promise<Ended>
}

/** Starts an agent process on ports of its own and waits until it serves. The test's end kills it and, after a failure, shows its log. */
export async function startAgent(t: ExecutionContext, setup: AgentSetup = {}): Promise<Agent> {
  const agent = await beginAgent(t, setup)
  await agent.line(/^==> Log data will now stream in/, { withinMs: START_WITHIN_MS })
  return agent
}

/** Starts an agent process that need not come to serve. */
export async function beginAgent(t: ExecutionContext, setup: AgentSetup = {}): Promise<Agent> {
  const { args = ['-dev'], files = {}, ports, program = TRIBUNE, wrapped = 'exec "$@"', env } = setup
  const own = ports ?? agentPorts(await freePorts())
  const folder = temporaryDirectory(t)
  writeFiles(folder, { 'ports.json': { ports: portKeys(own) }, ...files })
  const line = ['-c', wrapped, 'sh', program, 'agent', ...args, '-config-dir', folder]
  const running = startProgram(t, 'agent', '/bin/sh', line, { env: cleanEnvironment(env) })
  const address = `127.0.0.1:${own.http}`
  const http: Agent['http'] = (method, path, body, withinMs) => ask(`http://${address}${path}`, method, body, withinMs)
  return {
    ...running,
    ports: own,
    folder,
    address,
    http,
    async json<Body>(path: string) {
      const { status, text } = await http('GET', path)
      if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`)
      return JSON.parse(text) as Body
    },
    tribune: (...words) => runTribune(t, words, { CONSUL_HTTP_ADDR: address }),
  }
}

export function agentPorts(free: FreePorts): AgentPorts {
  const next = () => free.next()
  return { http: next(), dns: next(), server: next(), serfLan: next(), serfWan: next(), proxies: free.range(PROXY_PORTS) }
}

function portKeys({ http, dns, server, serfLan, serfWan, proxies }: AgentPorts): Record<string, number> {
  return { http, dns, server, serf_lan: serfLan, serf_wan: serfWan, proxy_min_port: proxies.from, proxy_max_port: proxies.to }
}

/** Runs the program to its end. */
export function runTribune(
  t: ExecutionContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  { program = TRIBUNE, cwd = tmpdir(), stdin = '' } = {},
): Promise<Ended> {
  return runProgram(t, program, args, { cwd, env: cleanEnvironment(env), stdin })
}

/** This process's environment without what would direct the program elsewhere. */
export function cleanEnvironment(added: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(CONSUL_|CONNECT_|NODE_)/.test(name))), ...added }
}

/** Texts as they are, everything else as JSON. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | object>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  }
}

/** One HTTP request on a connection of its own. */
export function ask(url: string, method = 'GET', body?: string | object, withinMs = WITHIN_MS * 2): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent: false, timeout: withinMs }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      response.on('error', reject)
    })
    asking.on('timeout', () => asking.destroy(new Error(`${method} ${url}: no answer within ${withinMs} ms`)))
    asking.on('error', reject)
    asking.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
  })
}
