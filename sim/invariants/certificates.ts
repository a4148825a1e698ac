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
const CLOCK_JUMP_MS = 2_000

export const leavesAreFresh: Invariant = {
  name: 'leaves-are-fresh',
  sentence: 'no sidecar on an agent that can be reached shows a certificate past 90 % of its life',
  when: 'always',
  broken(run) {
    const state = leavesOf(run)
    if (run.world.nowMs < state.nextMs) return undefined
    state.nextMs = run.world.nowMs + LOOK_EVERY_MS
    for (const node of run.cluster.nodes.values()) {
      const isCalm = hasBeenCalm(run, node, state.clocks)
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
type Clock = { offsetMs: number; setAtMs: number }
const leavesOf = perRun((_run: Run) => ({ nextMs: 0, seen: new Map<string, Seen>(), clocks: new Map<string, Clock>() }))

function hasBeenCalm(run: Run, node: SimNode, clocks: Map<string, Clock>): boolean {
  const { nowMs } = run.world
  const offsetMs = node.clock.wallMs() - nowMs
  const before = clocks.get(node.name) ?? { offsetMs, setAtMs: 0 }
  const setAtMs = Math.abs(offsetMs - before.offsetMs) > CLOCK_JUMP_MS ? nowMs : before.setAtMs
  clocks.set(node.name, { offsetMs, setAtMs })
  return nowMs - Math.max(setAtMs, run.cluster.disturbedUntil(node.name)) > CALM_MS
}

/** A leaf in its second half that gave way to another while the sockets lived on. */
function noteRenewal(run: Run, { name, mesh }: SimNode, owner: string, serial: string, livedPart: number, seen: Map<string, Seen>): void {
  const key = `${name} ${owner}`
  const before = seen.get(key)
  if (before && before.mesh === mesh && before.serial !== serial && before.livedPart > 0.5) run.reach('leaf renewed')
  seen.set(key, { mesh, serial, livedPart })
}
