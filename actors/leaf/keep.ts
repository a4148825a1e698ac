import type { Turn } from '../../src/kernel/actor.ts'
import type { StoreOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import type { Leaf } from './protocol.ts'

const KIND = 'leaf'

/** Keeps a leaf with its key in the data directory, which only the agent's user may read: it is there again after a start without servers. */
export function keepLeaf<Own>(turn: Turn<Own>, leaf: Leaf): void {
  turn.act('store', { do: 'save', kind: KIND, key: leaf.service, record: leaf })
}

/** Those of an earlier life that are valid still, by service. All others are forgotten. */
export function keptLeaves<Own>(turn: Turn<Own>, outcome: Result<StoreOutcome>): Map<string, Leaf> {
  const found = new Map<string, Leaf>()
  if (isRefused(outcome)) return found
  for (const { kind, key, record } of outcome.records) {
    if (kind !== KIND) continue
    const leaf = record as Leaf
    if (leaf.validBeforeMs > turn.nowMs) found.set(key, leaf)
    else turn.act('store', { do: 'remove', kind: KIND, key })
  }
  return found
}
