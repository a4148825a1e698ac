import { ms, oneOf, whole } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'

const crash = defineFault({
  name: 'crash',
  about: 'a machine stops at once and starts again after a while; what was not durable is gone',
  perMinute: 3,
  fields: { forMs: ms(10, 8_000), how: oneOf('with resets', 'silently') },
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

const clockJump = defineFault({
  name: 'clock-jump',
  about: 'the wall clock jumps, as after a correction or a suspended machine',
  perMinute: 2,
  fields: { byMs: whole(-600_000, 3_600_000, { least: Number.MIN_SAFE_INTEGER, unit: 'milliseconds' }) },
  apply(run, { node, byMs }) {
    run.cluster.node(node).skewMs += byMs
  },
})

const programStops = defineFault({
  name: 'program-stops',
  about: 'the program behind a service stops, hangs or fails for a while',
  perMinute: 3,
  fields: { how: oneOf('refused', 'hangs'), forMs: ms(200, 12_000) },
  apply(run, { node, how, forMs }) {
    const [application] = run.cluster.applicationsOf(node)
    if (!application) return
    run.forAWhile(
      forMs,
      () => run.cluster.setApplication(application, how),
      () => run.cluster.setApplication(application, 'passing'),
    )
  },
})

/** Trouble of machines, their threads, their clocks and the programs on them. */
export const machineFaults: readonly Kind[] = [crash, crashAll, threadStall, clockJump, programStops]
