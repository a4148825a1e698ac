import type { Role } from '../../src/placement.ts'
import type { Kind } from '../plan.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'

const ROLES: readonly Role[] = ['main', 'state', 'edge', 'mesh']

/** Power is cut: everything that was not durable is gone. The agent starts again after a while. */
const crash: Kind<Run> = {
  name: 'crash',
  perMinute: 3,
  draw: (random) => ({ forMs: random.int(10, 8_000) }),
  apply: (run, { node, forMs }) => run.crash(node, Number(forMs)),
}

/** One thread does nothing for a while: a long collection of garbage, a stopped virtual machine. */
const threadStall: Kind<Run> = {
  name: 'thread-stall',
  perMinute: 6,
  draw: (random) => ({ role: pick(random, ROLES), forMs: random.int(20, 3_000) }),
  apply: (run, { node, role, forMs }) => run.stall(node, role as Role, Number(forMs)),
}

/** The wall clock jumps, as after a correction or a suspended machine. */
const clockJump: Kind<Run> = {
  name: 'clock-jump',
  perMinute: 2,
  draw: (random) => ({ byMs: random.int(-600_000, 3_600_000) }),
  apply: (run, { node, byMs }) => run.jump(node, Number(byMs)),
}

/** Commits take much longer. */
const diskSlow: Kind<Run> = {
  name: 'disk-slow',
  perMinute: 2,
  draw: (random) => ({ times: random.int(5, 300), forMs: random.int(100, 6_000) }),
  apply: (run, { node, times, forMs }) => run.slowDisk(node, Number(times), Number(forMs)),
}

/** The disk takes nothing for a while. */
const diskFull: Kind<Run> = {
  name: 'disk-full',
  perMinute: 2,
  draw: (random) => ({ forMs: random.int(50, 4_000) }),
  apply: (run, { node, forMs }) => run.fillDisk(node, Number(forMs)),
}

/** One commit fails; the next does not. */
const commitFails: Kind<Run> = {
  name: 'commit-fails',
  perMinute: 4,
  draw: () => ({}),
  apply: (run, { node }) => run.failCommit(node),
}

/** The application behind a check refuses connections for a while. */
const probeFlap: Kind<Run> = {
  name: 'probe-flap',
  perMinute: 3,
  draw: (random) => ({ forMs: random.int(200, 12_000), how: pick(random, ['refused', 'hangs']) }),
  apply: (run, { node, forMs, how }) => run.flap(node, how === 'hangs' ? 'hangs' : 'refused', Number(forMs)),
}

/** Every kind of trouble. */
export const faults: readonly Kind<Run>[] = [crash, threadStall, clockJump, diskSlow, diskFull, commitFails, probeFlap]
