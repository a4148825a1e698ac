import { indexesOf } from '../indexes.ts'
import { perRun } from '../per-run.ts'
import type { Run } from '../run.ts'
import type { Invariant } from './invariant.ts'

export const indexNeverGoesBack: Invariant = {
  name: 'index-never-goes-back',
  sentence: 'the index of a node never goes back, not even over a crash, but for what a power cut takes and a shared log brings again',
  when: 'always',
  broken: (run) => indexesOf(run).look(),
}

export const mailboxesAreBounded: Invariant = {
  name: 'mailboxes-are-bounded',
  sentence: 'no mailbox grows beyond its bound',
  when: 'always',
  broken(run) {
    const turn = turns(run)
    const node = run.cluster.node(turn.names[turn.next++ % turn.names.length] as string)
    for (const host of node.hosts) {
      const full = host.stats().find(({ mailbox, mailboxMax }) => mailbox > mailboxMax)
      if (full) return `${full.actor} on ${node.name} has ${full.mailbox} messages waiting, its bound is ${full.mailboxMax}`
    }
    return undefined
  },
}

export const nothingBreaks: Invariant = {
  name: 'nothing-breaks',
  sentence: 'no assertion fails, no endpoint throws and no actor crashes, unless it was told to',
  when: 'always',
  broken(run) {
    const read = linesRead(run)
    for (; read.count < run.printed.length; read.count++) {
      const line = run.printed[read.count] as string
      if (line.includes('[error]') && BUGS.test(line) && !line.includes(TOLD_TO)) return line
    }
    return undefined
  },
}

/** Nodes are looked at one after the other: what the hosts tell of themselves has a cost. */
const turns = perRun((run: Run) => ({ names: [...run.cluster.nodes.keys()], next: 0 }))
const linesRead = perRun((_run: Run) => ({ count: 0 }))
const BUGS = /broken promise| crashed and is rebuilt|\] http: \S+ \S+ failed/
/** How crashes that a plan asks for begin. */
const TOLD_TO = 'simulated bug'
