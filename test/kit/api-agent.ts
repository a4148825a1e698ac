import { Packr } from 'msgpackr'
import { tables } from '../../actors/tables.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { networkOf } from '../../sim/network-of.ts'
import { SEPARATE, SimNode } from '../../sim/node.ts'
import { World } from '../../sim/world.ts'
import { hostInMemory } from '../../src/config/host.ts'
import { loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { type ApiAnswer, createApi } from '../../src/http/api.ts'
import { routes } from '../../src/http/routes/index.ts'
import type { Devices } from '../../src/kernel/ports.ts'
import { localLog } from '../../src/local-log.ts'
import { granted } from './asking.ts'

export type ApiAsked = { method: string; url: string; headers: Readonly<Record<string, string>>; body: Buffer }

/** One agent in simulated time, of which everything can be asked over its HTTP API: endpoints that need promises too. */
export type ApiAgent = {
  /** The answer; undefined if it still waits after `withinMs` of simulated time, and then it is given up. */
  ask(asked: ApiAsked, withinMs?: number): Promise<ApiAnswer | undefined>
  /** Lets simulated time pass. */
  pass(ms: number): void
  /** Everything that is kept, by where: each table of the cluster, and the agent's own records. */
  state(): ReadonlyMap<string, Buffer>
  /** Kinds of the commands that were proposed since the last time. */
  proposed(): readonly string[]
  /** What it complained of: crashes of actors, failures of endpoints. */
  readonly errors: readonly string[]
}

const STARTED_MS = 5_000

export function apiAgent(seed: string): ApiAgent {
  const world = new World(seed)
  const network = networkOf(world)
  network.addNode('n1', '10.0.0.1')
  const errors: string[] = []
  let kinds: string[] = []
  const config = configured()
  const node = new SimNode({
    world,
    network,
    config,
    layout: SEPARATE,
    mutations: SOUND,
    createLog(life) {
      const log = localLog(life)
      return {
        perform(request, done, event) {
          kinds.push(...request.commands.map((command) => String((command as { kind?: unknown }).kind)))
          log.perform(request, done, event)
        },
      }
    },
    printed(line) {
      if (line.includes(' [error] ')) errors.push(line)
    },
    ended: (why) => errors.push(`the agent ended: ${why}`),
  })
  node.start()
  node.hostOf('main').ports.devices.process = WILLING
  const api = createApi({ host: node.edge, config, layout: node.layout, routes })
  const pass = (ms: number) => world.runUntil(world.nowMs + ms)
  pass(STARTED_MS)

  return {
    pass,
    errors,
    async ask({ body, ...asked }, withinMs = 30_000) {
      let answer: ApiAnswer | undefined
      const kept = asked.method === 'GET' ? api.kept(asked.url, asked.headers) : undefined
      if (kept) return kept
      const giveUp = api.handle(
        {
          ...asked,
          from: '127.0.0.1',
          readBody: (bytesMax, done) => done(body.byteLength > bytesMax ? body.byteLength : body),
          keepBody: (done) => done({ path: node.files.add(body) }),
        },
        (given) => {
          answer = given
        },
      )
      const untilMs = world.nowMs + withinMs
      for (let ms = 1; !answer && world.nowMs < untilMs; ms *= 2) {
        pass(ms)
        if (!answer) await new Promise((resolve) => setImmediate(resolve))
      }
      if (!answer) giveUp()
      return answer
    },
    state() {
      const view = node.tables.view()
      const own = node.store.disk.view()
      return new Map([
        ...tables.map((table): [string, Buffer] => [table.name, packr.pack([...view.range(table)])]),
        ['own records', packr.pack([...own.range(OWN)])] as [string, Buffer],
      ])
    },
    proposed() {
      const taken = kinds
      kinds = []
      return taken
    },
  }
}

/** Equal rows are equal bytes. */
const packr = new Packr({ useRecords: false, copyBuffers: true })

/** The table of the simulated store. */
const OWN = { name: 'records', id: 1 }

/** A process that does what it is told, and stays. */
const WILLING: Devices['process'] = {
  perform(request, done) {
    if (request.do === 'metrics') return done({ warnings: [], metrics: request.format === 'json' ? { json: {} } : { text: '# nothing\n' } })
    if (request.do === 'log') return done({ warnings: [], log: { text: 'a line\n', newest: 1, dropped: 0 } })
    done(request.do === 'host' ? { warnings: [], host: {} } : { warnings: [] })
  },
}

function configured() {
  const file = { connect: { enabled: true } }
  const flags = parseAgentFlags(['-server', '-bootstrap', '-bind=10.0.0.1', '-data-dir=/data', '-node=n1', '-config-file=/etc/file.json'])
  if ('error' in flags) throw new Error(flags.error)
  const host = hostInMemory({ '/etc/file.json': JSON.stringify(file) }, 'n1', '10.0.0.1')
  const { config } = granted(loadConfig({ flags: flags.flags, host }))
  return { ...config, boot: 'simulated', node: { ...config.node, id: '00000000-0000-4000-8000-000000000001' } }
}
