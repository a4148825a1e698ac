import { serviceOn } from '../../actors/catalog/queries.ts'
import { lastIndex } from '../../actors/command.ts'
import { linearizabilityFault } from '../models/linearizable.ts'
import type { Run } from '../run.ts'

/** Something that must hold: a sentence, and a search for the counterexample. */
export type Invariant = {
  name: string
  sentence: string
  /** `always`: looked at again and again. `rest`: once everything has healed. */
  when: 'always' | 'rest'
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
    for (const node of run.nodes.values()) {
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
  sentence: 'one second after a deny is acknowledged, no connection between the two services is open',
  when: 'always',
  broken(run) {
    for (const node of run.nodes.values()) {
      const { deniedAtMs } = run.intentionOf(node.name)
      if (deniedAtMs === undefined || run.world.nowMs - Math.max(deniedAtMs, run.disturbedUntil(node.name)) <= DENY_WITHIN_MS) continue
      const open = node.mesh
        ?.open()
        .find(({ owner, phase, peer }) => owner === 'db' && phase === 'spliced' && peer?.uri.endsWith('/svc/web'))
      if (open)
        return `connection ${open.connection} from web to db is open on ${node.name}, ${(run.world.nowMs - deniedAtMs).toFixed(0)} ms after the deny`
      run.reach('deny looked at')
    }
    return undefined
  },
}

const mailboxesAreBounded: Invariant = {
  name: 'mailboxes-are-bounded',
  sentence: 'no mailbox grows beyond its bound',
  when: 'always',
  broken(run) {
    for (const node of run.nodes.values()) {
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

const catalogAgrees: Invariant = {
  name: 'catalog-agrees',
  sentence: 'once everything has healed, the catalog has what each agent has registered',
  when: 'rest',
  broken(run) {
    for (const [key, operations] of run.history.operations) {
      const [kind, nodeName = '', id = ''] = key.split('/')
      const read = operations.findLast((operation) => operation.client === 'checker')
      const node = run.nodes.get(nodeName)
      if (kind !== 'service' || !read || !node) continue
      const record = serviceOn(node.tables.view(), nodeName, id)
      const inCatalog = record ? String(record.port) : null
      if (inCatalog !== read.outcome) return `${id} of ${nodeName}: the agent has ${read.outcome}, the catalog ${inCatalog}`
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
  catalogAgrees,
]

function firstFault(run: Run, prefix: string): string | undefined {
  for (const [key, operations] of run.history.operations) {
    if (!key.startsWith(prefix)) continue
    const fault = linearizabilityFault(operations)
    if (fault !== undefined) return `${key.slice(prefix.length)}: ${fault}`
  }
  return undefined
}
