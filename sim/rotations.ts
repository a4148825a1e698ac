import { rotationProgress } from '../actors/ca/progress.ts'
import { caRoots } from '../actors/ca/queries.ts'
import { type CaRotationRecord, caRotationTable, ROTATION_KEY } from '../actors/ca/tables.ts'
import { indexOf } from '../actors/command.ts'
import { currentCopy } from '../src/kernel/tables.ts'
import { EPOCH_MS } from './clock.ts'
import { clocksOf } from './clocks.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { CertificateFacts } from './ports/mesh-identity.ts'
import type { Run } from './run.ts'
import { snapshotsOf } from './snapshots.ts'

const PROGRESS_EVERY_MS = 500
const FINISHED = 'every sidecar has the new root'
/** Clocks differ, and a server that was cut off signs for a while with a root that others have left. */
const LATE_SIGNED_MS = 120_000

type Trusted = { index: number; copy: number; keyIds: Map<string, string> }

/** How the root of the mesh changes, as every agent's tables show it. */
export class Rotations {
  /** The first agent that had more than one root that signs, or none. */
  signing: string | undefined
  /** The first root that went while it was needed. */
  needed: string | undefined
  /** The first two certificates with one number. */
  twice: string | undefined
  readonly #run: Run
  readonly #trusted = new Map<string, Trusted>()
  readonly #retired = new Set<string>()
  /** When the last leaf of each key ends, in ms since 1970. */
  readonly #endsMs = new Map<string, number>()
  readonly #numbers = new Map<string, string>()
  #progressAtMs = 0
  /** Rotations of which each of these was noted. */
  readonly #noted = new Set<string>()

  constructor(run: Run) {
    this.#run = run
  }

  /** Somebody has signed a leaf. */
  signed({ authorityKeyId = '', serial = '', id = '', notAfterMs = 0 }: CertificateFacts): void {
    this.#endsMs.set(authorityKeyId, Math.max(notAfterMs, this.#endsMs.get(authorityKeyId) ?? 0))
    const number = `${serial} of key ${authorityKeyId}`
    const known = this.#numbers.get(number)
    // After a restore numbers are given again, as they were after the snapshot was saved.
    if (known !== undefined && known !== id && !this.#isRestored()) this.twice ??= `two certificates have the number ${number}`
    this.#numbers.set(number, id)
  }

  /** Looks at the tables of every agent. */
  look(): void {
    clocksOf(this.#run).look()
    const { nowMs } = this.#run.world
    const isDue = nowMs >= this.#progressAtMs
    if (isDue) this.#progressAtMs = nowMs + PROGRESS_EVERY_MS
    for (const node of this.#run.cluster.nodes.values()) {
      this.#lookAtRoots(node)
      this.#lookAtRotation(node, isDue)
    }
  }

  #lookAtRoots(node: SimNode): void {
    const view = node.tables.view()
    const index = indexOf(view, 'connect-ca-roots')
    const copy = currentCopy(view)
    const before = this.#trusted.get(node.name)
    if (before?.index === index && before.copy === copy) return
    const roots = caRoots(view)?.roots ?? []
    const active = roots.filter((root) => root.active)
    if (roots.length > 0 && active.length !== 1) this.signing ??= `${node.name} has ${active.length} roots that sign, of ${roots.length}`
    const keyIds = new Map(roots.map(({ id, signingKeyId }) => [id, signingKeyId]))
    this.#trusted.set(node.name, { index, copy, keyIds })
    // A crash may take back what was not durable, and a restore anything.
    if (!before || before.copy !== copy || index < before.index) return
    for (const [id, keyId] of before.keyIds) if (!keyIds.has(id)) this.#left(node, id, keyId)
  }

  #left(at: SimNode, rootId: string, keyId: string): void {
    if (this.#retired.has(rootId)) return
    this.#retired.add(rootId)
    this.#run.reach('root retired')
    if (this.#isRestored()) return
    const trueMs = EPOCH_MS + this.#run.world.nowMs
    for (const { name, mesh } of this.#run.cluster.nodes.values()) {
      const shown = mesh?.leaves().find(({ leaf }) => leaf.authorityKeyId === keyId && (leaf.notAfterMs ?? 0) > trueMs)
      if (shown) this.needed ??= `${at.name} trusts ${rootId} no more, and ${shown.owner} on ${name} shows a certificate of it`
    }
    const leftMs = (this.#endsMs.get(keyId) ?? 0) - trueMs
    if (leftMs > LATE_SIGNED_MS && clocksOf(this.#run).wereSteady)
      this.needed ??= `${at.name} trusts ${rootId} no more, and a certificate of it is valid for ${(leftMs / 1_000).toFixed(0)} s`
  }

  #lookAtRotation(node: SimNode, isDue: boolean): void {
    const view = node.tables.view()
    const rotation = view.get(caRotationTable, ROTATION_KEY)
    if (!rotation || this.#noted.has(`${FINISHED} ${rotation.id}`)) return
    if (rotation.phase === 'spreading') {
      if ((rotationProgress(view)?.waitingFor.length ?? 0) > 0) this.#note(rotation, 'new root waits for a sidecar')
      return
    }
    this.#note(rotation, rotation.aborts ? 'root changed back' : 'root changed')
    if (rotation.activeMs > rotation.startedMs) this.#note(rotation, 'root changed in two steps')
    if (isDue && rotationProgress(view)?.phase === 'retiring') this.#note(rotation, FINISHED)
  }

  #note({ id }: CaRotationRecord, mark: string): void {
    const key = `${mark} ${id}`
    if (this.#noted.has(key)) return
    this.#noted.add(key)
    this.#run.reach(mark)
    if (this.#isCutOff()) this.#run.reach(`${mark}, while some are cut off`)
  }

  #isCutOff(): boolean {
    const { nodes, network } = this.#run.cluster
    const names = [...nodes.keys()]
    return names.some((from) => names.some((to) => network.isCut(from, to)))
  }

  #isRestored(): boolean {
    return snapshotsOf(this.#run).mayRestoreBetween(0, this.#run.world.nowMs)
  }
}

export const rotationsOf = perRun((run: Run) => new Rotations(run))
