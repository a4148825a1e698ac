import { type Field, ms, otherNode, part } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'

/** Long after a way is there again, connections that were held back send anew. */
const RECOVERY_MS = 5_000
/** What was lost again and again is sent again that late, and whatever came after it waits. */
const LOSS_RECOVERY_MS = 30_000

const group: Field<string> = {
  about: 'names of some of the agents, separated by spaces',
  draw(random, { nodes }) {
    const wanted = random.int(1, nodes.length - 1)
    const group = new Set<string>()
    while (group.size < wanted) group.add(pick(random, nodes))
    return [...group].sort().join(' ')
  },
  isAllowed: (value, { nodes }) => typeof value === 'string' && value.split(' ').every((name) => nodes.includes(name)),
  smaller: (value) => (value.includes(' ') ? value.split(' ') : []),
}

const partition = defineFault({
  name: 'partition',
  about: 'some machines are cut off from the others for a while',
  perMinute: 1.5,
  nodesMin: 2,
  oncePerRun: true,
  fields: {
    group,
    forMs: ms(200, 30_000),
  },
  apply(run, { group, forMs }) {
    const { network, nodes } = run.cluster
    const names = [...nodes.keys()]
    const inside = group.split(' ')
    disturbAll(run, names, forMs)
    network.partition([inside, names.filter((name) => !inside.includes(name))])
    run.endAfter(forMs, () => network.partition([]))
  },
})

const oneWayCut = defineFault({
  name: 'one-way-cut',
  about: 'nothing gets from one machine to another for a while; the other way works',
  perMinute: 2,
  nodesMin: 2,
  fields: { to: otherNode, forMs: ms(100, 15_000) },
  apply(run, { node, to, forMs }) {
    const { network, nodes } = run.cluster
    if (node === to) return
    disturbAll(run, nodes.keys(), forMs)
    network.cut(node, to)
    run.endAfter(forMs, () => network.heal(node, to))
  },
})

const slowLink = defineFault({
  name: 'slow-link',
  about: 'everything takes longer between two machines for a while, both ways',
  perMinute: 2,
  nodesMin: 2,
  fields: { to: otherNode, delayMs: ms(20, 1_500), forMs: ms(500, 15_000) },
  apply(run, { node, to, delayMs, forMs }) {
    disturbWay(run, node, to, forMs, { delayMs: { from: delayMs / 2, to: delayMs } })
  },
})

const packetLoss = defineFault({
  name: 'packet-loss',
  about: 'packets get lost, doubled and reordered between two machines for a while',
  perMinute: 2,
  nodesMin: 2,
  fields: { to: otherNode, lost: part(0.02, 0.6), duplicated: part(0, 0.3), reordered: part(0, 0.3), forMs: ms(500, 15_000) },
  apply(run, { node, to, lost, duplicated, reordered, forMs }) {
    disturbWay(run, node, to, forMs, { lost, duplicated, reordered })
    if (node !== to) disturbAll(run, run.cluster.nodes.keys(), forMs, LOSS_RECOVERY_MS)
  },
})

const connectionsReset = defineFault({
  name: 'connections-reset',
  about: 'every open connection of a machine is reset',
  perMinute: 2,
  fields: {},
  apply: (run, { node }) => void run.cluster.network.resetConnections(node),
})

const dialsRefused = defineFault({
  name: 'dials-refused',
  about: 'a machine refuses new connections for a while',
  perMinute: 2,
  fields: { forMs: ms(100, 8_000) },
  apply(run, { node, forMs }) {
    run.endAfter(forMs, run.cluster.network.refuseDials(node))
  },
})

const connectionsHang = defineFault({
  name: 'connections-hang',
  about: 'nothing arrives on the connections of a machine for a while, and nobody is told',
  perMinute: 2,
  fields: { forMs: ms(100, 10_000) },
  apply(run, { node, forMs }) {
    run.endAfter(forMs, run.cluster.network.holdConnections(node))
  },
})

const handshakesStall = defineFault({
  name: 'handshakes-stall',
  about: 'a machine begins TLS handshakes and does not finish them for a while',
  perMinute: 1.5,
  fields: { forMs: ms(100, 15_000) },
  apply(run, { node, forMs }) {
    run.endAfter(forMs, run.cluster.network.stallHandshakes(node))
  },
})

/** Trouble of the network and of connections. */
export const networkFaults: readonly Kind[] = [
  partition,
  oneWayCut,
  slowLink,
  packetLoss,
  connectionsReset,
  dialsRefused,
  connectionsHang,
  handshakesStall,
]

function disturbWay(run: Run, node: string, to: string, forMs: number, way: object): void {
  if (node === to) return
  const { network, nodes } = run.cluster
  disturbAll(run, nodes.keys(), forMs)
  network.disturb(node, to, way)
  network.disturb(to, node, way)
  run.endAfter(forMs, () => {
    network.restore(node, to)
    network.restore(to, node)
  })
}

/** Whoever leads may be behind what does not work, so nothing can be expected of anybody. */
function disturbAll(run: Run, names: Iterable<string>, forMs: number, recoveryMs = RECOVERY_MS): void {
  for (const name of names) run.cluster.disturb(name, forMs + recoveryMs, 'way')
}
