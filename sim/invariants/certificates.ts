import { clocksOf } from '../clocks.ts'
import type { SimNode } from '../node.ts'
import { perRun } from '../per-run.ts'
import type { SimMesh } from '../ports/mesh.ts'
import type { Run } from '../run.ts'
import type { Invariant } from './invariant.ts'

const LOOK_EVERY_MS = 10_000
/** Leaves are renewed at this part of their life at the latest. */
const RENEWED_AT = 0.9
/** They are made valid from a while before they are made, which their life is not counted from. */
const SLACK_PART = 0.001
/** After trouble, and after a clock was set, what is due is done within this. */
const CALM_MS = 120_000

export const leavesAreFresh: Invariant = {
  name: 'leaves-are-fresh',
  sentence: 'no sidecar on an agent that can be reached shows a certificate past 90 % of its life',
  when: 'always',
  broken(run) {
    const state = leavesOf(run)
    clocksOf(run).look()
    if (run.world.nowMs < state.nextMs) return undefined
    state.nextMs = run.world.nowMs + LOOK_EVERY_MS
    for (const node of run.cluster.nodes.values()) {
      const isCalm = hasBeenCalm(run, node)
      for (const { owner, leaf } of node.mesh?.leaves() ?? []) {
        const { notBeforeMs = 0, notAfterMs = 0, serial = '' } = leaf
        const livedPart = (node.clock.wallMs() - notBeforeMs) / (notAfterMs - notBeforeMs)
        if (isCalm && (livedPart < 0 || livedPart > RENEWED_AT + SLACK_PART))
          return `the certificate ${serial} of ${owner} on ${node.name} is at ${(livedPart * 100).toFixed(1)} % of its life`
        noteRenewal(run, node, owner, serial, livedPart, state.seen)
      }
    }
    return undefined
  },
}

type Seen = { mesh: SimMesh | undefined; serial: string; livedPart: number }
const leavesOf = perRun((_run: Run) => ({ nextMs: 0, seen: new Map<string, Seen>() }))

function hasBeenCalm(run: Run, { name }: SimNode): boolean {
  const { cluster, world } = run
  return world.nowMs - Math.max(0, clocksOf(run).setAtMs(name), cluster.disturbedUntil(name)) > CALM_MS
}

/** A leaf in its second half that gave way to another while the sockets lived on. */
function noteRenewal(run: Run, { name, mesh }: SimNode, owner: string, serial: string, livedPart: number, seen: Map<string, Seen>): void {
  const key = `${name} ${owner}`
  const before = seen.get(key)
  if (before && before.mesh === mesh && before.serial !== serial && before.livedPart > 0.5) run.reach('leaf renewed')
  seen.set(key, { mesh, serial, livedPart })
}
