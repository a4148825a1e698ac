import { lastIndex } from '../../actors/command.ts'
import type { Mark } from '../kind.ts'
import { linearizabilityFault } from '../models/linearizable.ts'
import type { Run } from '../run.ts'

/** Something that must hold: a sentence, and a search for the counterexample. */
export type Invariant = {
  name: string
  sentence: string
  /** `always`: looked at again and again. `rest`: once everything has healed. */
  when: 'always' | 'rest'
  /** What a campaign must come across, or it holds only because nothing happened. `kind` names the events that lead there. */
  marks?: readonly (Mark & { kind: string })[]
  broken(run: Run): string | undefined
}

/** Longest time that a deny may take to be enforced. */
const DENY_WITHIN_MS = 1_000

const kvIsLinearizable: Invariant = {
  name: 'kv-is-linearizable',
  sentence: 'no acknowledged write of the key/value store is lost, and reads and conditions see one order of writes',
  when: 'rest',
  broken: (run) => firstFault(run, 'kv/'),
}

const registrationsSurvive: Invariant = {
  name: 'registrations-survive',
  sentence: 'an agent has the registrations that it acknowledged, whatever happened to its machine',
  when: 'rest',
  broken: (run) => firstFault(run, 'service/'),
}

const indexNeverGoesBack: Invariant = {
  name: 'index-never-goes-back',
  sentence: 'the index of a node never goes back, not even over a crash',
  when: 'always',
  broken(run) {
    for (const node of run.cluster.nodes.values()) {
      const index = lastIndex(node.tables.view())
      const seen = run.highestIndex.get(node.name) ?? 0
      if (index < seen) return `${node.name} was at index ${seen} and is at ${index}`
      run.highestIndex.set(node.name, index)
    }
    return undefined
  },
}

const deniedIsDenied: Invariant = {
  name: 'denied-is-denied',
  sentence: 'one second after a deny is acknowledged, no connection between the two services is open on any agent that can be reached',
  when: 'always',
  marks: [{ name: 'deny looked at', kind: 'intention.deny', events: 4 }],
  broken(run) {
    for (const [pair, { deniedAtMs }] of run.decisions) {
      if (deniedAtMs === undefined) continue
      const [source = '', destination = ''] = pair.split(' > ')
      for (const node of run.cluster.nodes.values()) {
        const sinceMs = run.world.nowMs - Math.max(deniedAtMs, run.cluster.disturbedUntil(node.name))
        if (sinceMs <= DENY_WITHIN_MS) continue
        const open = node.mesh
          ?.open()
          .find(({ owner, phase, peer }) => owner === destination && phase === 'spliced' && peer?.uri.endsWith(`/svc/${source}`))
        if (open)
          return `connection ${open.connection} from ${source} to ${destination} is open on ${node.name}, ${(run.world.nowMs - deniedAtMs).toFixed(0)} ms after the deny`
        run.reach('deny looked at')
      }
    }
    return undefined
  },
}

const mailboxesAreBounded: Invariant = {
  name: 'mailboxes-are-bounded',
  sentence: 'no mailbox grows beyond its bound',
  when: 'always',
  broken(run) {
    for (const node of run.cluster.nodes.values()) {
      for (const host of node.hosts) {
        const full = host.stats().find(({ mailbox, mailboxMax }) => mailbox > mailboxMax)
        if (full) return `${full.actor} on ${node.name} has ${full.mailbox} messages waiting, its bound is ${full.mailboxMax}`
      }
    }
    return undefined
  },
}

const readersMissNothing: Invariant = {
  name: 'readers-miss-nothing',
  sentence: 'whoever waits for a change of what was read is woken by it',
  when: 'rest',
  broken(run) {
    for (const reader of run.readers) {
      const now = reader.look()
      if (now !== undefined && now !== reader.last)
        return `the reader of ${reader.key} on ${reader.node} last saw ${reader.last}, there is ${now}`
    }
    return undefined
  },
}

/** Everything that must hold. */
export const invariants: readonly Invariant[] = [
  kvIsLinearizable,
  registrationsSurvive,
  indexNeverGoesBack,
  deniedIsDenied,
  mailboxesAreBounded,
  readersMissNothing,
]

function firstFault(run: Run, prefix: string): string | undefined {
  for (const [key, operations] of run.history.operations) {
    if (!key.startsWith(prefix)) continue
    const fault = linearizabilityFault(operations)
    if (fault !== undefined) return `${key.slice(prefix.length)}: ${fault}`
  }
  return undefined
}
