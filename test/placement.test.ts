import test from 'ava'
import { beginsLater, layoutOf } from '../src/placement.ts'

type Given = Parameters<typeof layoutOf>[0]

const GOSSIP = {} as NonNullable<Given['gossip']>
const USUAL = { threads: -1, meshThreads: -1 }

function shown(given: Given, cores = 2): string[] {
  return layoutOf(given, cores).map((roles) => roles.join('+'))
}

test('a server has a thread for each task', (t) => {
  t.deepEqual(shown({ threads: USUAL, gossip: GOSSIP, server: true }), ['main', 'state', 'gossip', 'edge', 'edge', 'mesh', 'mesh'])
  t.deepEqual(shown({ threads: USUAL, gossip: undefined, server: true }, 1), ['main+gossip', 'state', 'edge', 'mesh'])
})

test('a client has one thread and those for sidecars', (t) => {
  t.deepEqual(shown({ threads: USUAL, gossip: GOSSIP, server: false }), ['main+state+gossip+edge', 'mesh', 'mesh'])
  t.deepEqual(shown({ threads: { threads: -1, meshThreads: 0 }, gossip: GOSSIP, server: false }), ['main+state+gossip+edge+mesh'])
  t.deepEqual(shown({ threads: USUAL, gossip: undefined, server: false }, 1), ['main+state+gossip+edge', 'mesh'])
})

test('whoever says how many threads gets them, on clients too', (t) => {
  const layout = ['main', 'state', 'gossip', 'edge', 'edge', 'edge', 'mesh']
  t.deepEqual(shown({ threads: { threads: 3, meshThreads: 1 }, gossip: GOSSIP, server: false }), layout)
  t.deepEqual(shown({ threads: { threads: 2, meshThreads: 0 }, gossip: undefined, server: true }), [
    'main+gossip',
    'state',
    'edge+mesh',
    'edge+mesh',
  ])
  t.deepEqual(shown({ threads: { threads: 0, meshThreads: -1 }, gossip: GOSSIP, server: true }), ['main+state+edge+mesh+gossip'])
})

test('only threads that are for nothing but sidecars begin later', (t) => {
  const layout = layoutOf({ threads: USUAL, gossip: GOSSIP, server: false }, 2)
  t.deepEqual(
    layout.map((_roles, thread) => beginsLater(layout, thread)),
    [false, true, true],
  )
})
