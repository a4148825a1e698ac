import test from 'ava'
import { kvRef } from '../../actors/kv/index.ts'
import { SOUND } from '../../sim/mutants/index.ts'
import { networkOf } from '../../sim/network-of.ts'
import { SEPARATE, SimNode, TOGETHER } from '../../sim/node.ts'
import { World } from '../../sim/world.ts'
import { hostInMemory, loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { localLog } from '../../src/local-log.ts'
import type { Layout } from '../../src/placement.ts'
import { granted } from '../kit/asking.ts'

const STARTED_MS = 3_000
/** There is no such program in the simulated world, so that each run of it is in the log. */
const FILE = { watches: [{ type: 'key', key: 'a', args: ['handler'] }] }

/** A simulated agent with a watch of the key `a`. */
function machine(layout: Layout) {
  const world = new World('watches')
  const network = networkOf(world)
  network.addNode('n1', '10.0.0.1')
  const flags = parseAgentFlags(['-server', '-bootstrap', '-bind=10.0.0.1', '-data-dir=/data', '-node=n1', '-config-file=/w.json'])
  if ('error' in flags) throw new Error(flags.error)
  const host = hostInMemory({ '/w.json': JSON.stringify(FILE) }, 'n1', '10.0.0.1')
  const { config } = granted(loadConfig({ flags: flags.flags, host }))
  const printed: string[] = []
  const node = new SimNode({
    world,
    network,
    config: { ...config, boot: 'simulated', node: { ...config.node, id: '00000000-0000-4000-8000-000000000001' } },
    layout,
    mutations: SOUND,
    createLog: localLog,
    printed: (line) => printed.push(line),
  })
  node.start()
  const pass = (ms: number) => world.runUntil(world.nowMs + ms)
  const put = (value: string) => {
    const request = { key: 'a', value: Buffer.from(value), flags: 0n, token: '' }
    node.edge.ask(kvRef, 'put', request, 8_000, () => undefined)
    pass(1_000)
  }
  const told = () => printed.filter((line) => line.includes('watches: Watch handler failed')).length
  return { node, pass, put, told }
}

for (const [name, layout] of [
  ['threads of their own', SEPARATE],
  ['one thread', TOGETHER],
] as const) {
  test(`a simulated agent with ${name} tells handlers of changes`, (t) => {
    const { pass, put, told } = machine(layout)
    pass(STARTED_MS)
    t.is(told(), 1)
    put('1')
    t.is(told(), 2)
    put('1')
    t.is(told(), 2, 'nothing has changed')
  })
}

test('watches begin anew after a crash of their actor, and of their thread', (t) => {
  const { node, pass, put, told } = machine(SEPARATE)
  pass(STARTED_MS)
  node.crashActor('watches')
  put('1')
  pass(STARTED_MS)
  const afterCrash = told()
  t.true(afterCrash >= 2)
  put('2')
  t.is(told(), afterCrash + 1)
  node.crashThread('edge')
  pass(STARTED_MS)
  t.is(told(), afterCrash + 2)
  put('3')
  t.is(told(), afterCrash + 3)
})
