import { ms, oneOf, program, whole } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'

/** Threads and actors that crashed run again, as a rule, after this long. */
const THREAD_RESTART_MS = 1_500
const ACTOR_RESTART_MS = 10_000
const ACTORS = [
  'kv',
  'ledger',
  'catalog',
  'local',
  'checks',
  'ca',
  'leaf',
  'intentions',
  'feeds',
  'proxies',
  'proxy',
  'sessions',
  'events',
  'snapshots',
  'prepared-queries',
  'coordinates',
] as const

const crash = defineFault({
  name: 'crash',
  about: 'a machine stops at once and starts again after a while; what was not durable is gone',
  perMinute: 3,
  fields: { forMs: ms(10, 8_000), how: oneOf('aloud', 'silently') },
  apply: (run, { node, forMs, how }) => run.cluster.crash(node, forMs, how),
})

const crashAll = defineFault({
  name: 'crash-all',
  about: 'all machines stop at once, as when the power fails, and start again one after the other',
  perMinute: 0.5,
  nodesMin: 2,
  oncePerRun: true,
  fields: { forMs: ms(10, 8_000), apartMs: ms(0, 3_000) },
  apply(run, { forMs, apartMs }) {
    let afterMs = forMs
    for (const name of run.cluster.nodes.keys()) {
      run.cluster.crash(name, afterMs, 'silently')
      afterMs += apartMs
    }
  },
})

const threadStall = defineFault({
  name: 'thread-stall',
  about: 'one thread does nothing for a while: a long collection of garbage, a stopped virtual machine',
  perMinute: 6,
  fields: { role: oneOf('main', 'state', 'edge', 'mesh'), forMs: ms(20, 3_000) },
  apply: (run, { node, role, forMs }) => run.cluster.stall(node, role, forMs),
})

const threadCrash = defineFault({
  name: 'thread-crash',
  about: 'one thread of an agent ends; it is started again once, then the agent ends',
  perMinute: 1.5,
  fields: { role: oneOf('main', 'state', 'edge', 'mesh') },
  apply(run, { node, role }) {
    run.cluster.disturb(node, THREAD_RESTART_MS)
    run.up(node)?.crashThread(role)
  },
})

const actorCrash = defineFault({
  name: 'actor-crash',
  about: 'an actor crashes on its next messages and is rebuilt, later and later; too many crashes end its thread',
  perMinute: 2,
  fields: { actor: oneOf(...ACTORS), times: whole(1, 7) },
  apply(run, { node, actor, times }) {
    run.cluster.disturb(node, ACTOR_RESTART_MS)
    run.up(node)?.crashActor(actor, times)
  },
})

const threadsSlow = defineFault({
  name: 'threads-slow',
  about: 'everything on a machine takes much longer for a while, as when its processor is busy',
  perMinute: 2,
  fields: { times: whole(5, 200), forMs: ms(200, 10_000) },
  apply(run, { node, times, forMs }) {
    run.cluster.disturb(node, forMs)
    run.up(node)?.slowThreads(times, run.world.nowMs + forMs)
  },
})

const machineSleeps = defineFault({
  name: 'machine-sleeps',
  about: 'a machine is suspended for a while; its clock goes on, its timers do not',
  perMinute: 1,
  fields: { forMs: ms(100, 20_000) },
  apply(run, { node, forMs }) {
    const { cluster } = run
    cluster.disturb(node, forMs)
    cluster.up(node)?.suspend(forMs)
    run.endAfter(forMs, cluster.network.holdConnections(node))
  },
})

const signerFails = defineFault({
  name: 'signer-fails',
  about: 'keys and certificates cannot be made for a while, or take seconds',
  perMinute: 1.5,
  fields: { how: oneOf('busy', 'slow'), forMs: ms(200, 20_000) },
  apply(run, { node: name, how, forMs }) {
    const node = run.cluster.node(name)
    node.signerFailing = how
    run.endAfter(forMs, () => (node.signerFailing = undefined))
  },
})

const clockJump = defineFault({
  name: 'clock-jump',
  about: 'the wall clock of a machine is wrong for a while, and corrected then',
  perMinute: 1.5,
  fields: {
    byMs: whole(-600_000, 3_600_000, { least: Number.MIN_SAFE_INTEGER, unit: 'milliseconds' }),
    forMs: ms(500, 40_000),
  },
  apply(run, { node: name, byMs, forMs }) {
    const node = run.cluster.node(name)
    node.skewMs += byMs
    run.endAfter(forMs, () => (node.skewMs -= byMs))
  },
})

const programStops = defineFault({
  name: 'program-stops',
  about: 'the program behind a service stops, hangs or fails for a while',
  perMinute: 3,
  fields: { service: program, how: oneOf('refused', 'hangs', 'failing', 'slow', 'flaky'), forMs: ms(200, 12_000) },
  apply(run, { node, service, how, forMs }) {
    const application = run.cluster.applicationsOf(node).find(({ id }) => service === undefined || id === service)
    if (!application) return
    run.cluster.setApplication(application, how)
    run.endAfter(forMs, () => run.cluster.setApplication(application, 'passing'))
  },
})

/** Trouble of machines, their threads, their clocks and the programs on them. */
export const machineFaults: readonly Kind[] = [
  crash,
  crashAll,
  threadStall,
  threadCrash,
  threadsSlow,
  actorCrash,
  machineSleeps,
  signerFails,
  clockJump,
  programStops,
]
