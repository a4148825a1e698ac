import type { ChildProcess } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ask } from './http.ts'
import { freePorts } from './ports.ts'
import { ended, type Stage } from './stage.ts'
import { untilTrue } from './wait.ts'

/** The command, as a user starts it. */
export const TRIBUNE = fileURLToPath(new URL('../../bin/tribune', import.meta.url))
const LOG_LINES_SHOWN = 15
/** Ports in a row that one agent gets: its own, then those of its proxies. */
const OWN_PORTS = 5
const PROXY_PORTS = 20

export type AgentOptions = {
  /** `server` keeps its data in a directory, durably; `dev` keeps nothing; `client` is told by its flags whom to join. */
  mode: 'server' | 'dev' | 'client'
  /** Merged into its configuration file. */
  config?: Record<string, unknown>
  flags?: readonly string[]
  /** So many sidecars may listen. */
  proxyPorts?: number
}

export type Agent = {
  /** `http://127.0.0.1:port` */
  url: string
  httpPort: number
  dnsPort: number
  /** The process, while it runs. */
  readonly pids: readonly number[]
  /** Starts the process; resolves when it runs, before it answers. */
  start(): void
  /** Until its first answer, in ms. */
  answers(): Promise<number>
  /** Ends it as a service manager does. */
  stop(): Promise<void>
}

/** Makes an agent with ports and a directory of its own, and starts it. With `answers()` one may wait for it. */
export async function makeAgent(stage: Stage, { mode, config = {}, flags = [], proxyPorts = PROXY_PORTS }: AgentOptions): Promise<Agent> {
  const ports = await freePorts(OWN_PORTS + proxyPorts)
  const [httpPort = 0, dnsPort = 0, server = 0, serfLan = 0, serfWan = 0, proxyMin = 0] = ports
  const directory = join(stage.directory, `agent-${httpPort}`)
  mkdirSync(directory)
  const configFile = join(directory, 'config.json')
  const logFile = join(directory, 'log')
  writeFileSync(
    configFile,
    JSON.stringify({
      node_name: 'bench',
      bind_addr: '127.0.0.1',
      ports: {
        http: httpPort,
        dns: dnsPort,
        server,
        serf_lan: serfLan,
        serf_wan: serfWan,
        grpc: -1,
        proxy_min_port: proxyMin,
        proxy_max_port: ports.at(-1),
      },
      limits: { http_max_conns_per_client: 1_000 },
      ...config,
    }),
  )
  const dataFlags = ['-data-dir', join(directory, 'data')]
  const modeFlags = { dev: ['-dev'], server: ['-server', '-bootstrap', ...dataFlags], client: dataFlags }[mode]
  const url = `http://127.0.0.1:${httpPort}`
  let child: ChildProcess | undefined

  function start(): void {
    const log = openSync(logFile, 'a')
    const started = stage.start(TRIBUNE, ['agent', ...modeFlags, '-log-level=warn', '-config-file', configFile, ...flags], {
      stdio: ['ignore', log, log],
      ...(stage.profiles && { env: { ...process.env, NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${stage.profiles}` } }),
    })
    child = started
    started.on('exit', (code) => {
      if (stage.closing || code === null || child !== started) return
      process.stderr.write(`the agent ended with code ${code}:\n${lastLines(logFile)}\n`)
    })
  }
  start()
  return {
    url,
    httpPort,
    dnsPort,
    get pids() {
      return child?.pid === undefined ? [] : [child.pid]
    },
    start,
    answers: () =>
      untilTrue(`the agent at ${url} answers`, async () => {
        if (child && child.exitCode !== null) return false
        return (await ask('GET', `${url}/v1/status/leader`, undefined, { fresh: true })).status === 200
      }),
    async stop() {
      const stopped = child
      child = undefined
      if (stopped) await ended(stopped, 'SIGTERM')
    },
  }
}

/** The same, once it answers. */
export async function startAgent(stage: Stage, options: AgentOptions): Promise<Agent> {
  const agent = await makeAgent(stage, options)
  await agent.answers()
  return agent
}

function lastLines(path: string): string {
  return readFileSync(path, 'utf8').split('\n').slice(-LOG_LINES_SHOWN).join('\n')
}
