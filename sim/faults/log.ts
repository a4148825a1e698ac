import { ms } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'

/** An election, and what waited for it. */
const ELECTION_MS = 4_000

const leaderLost = defineFault({
  name: 'leader-lost',
  about: 'the leader of the log steps down, whatever is under way',
  perMinute: 3,
  nodesMin: 2,
  oncePerRun: true,
  fields: {},
  apply(run) {
    for (const name of run.cluster.nodes.keys()) run.cluster.disturb(name, ELECTION_MS, 'way')
    run.cluster.log?.loseLeader()
  },
})

const logLag = defineFault({
  name: 'log-lag',
  about: 'entries of the log come late to one agent for a while',
  onServers: true,
  perMinute: 2,
  nodesMin: 2,
  fields: { lagMs: ms(50, 4_000), forMs: ms(500, 10_000) },
  apply(run, { node, lagMs, forMs }) {
    run.cluster.disturb(node, forMs + lagMs, 'way')
    run.cluster.log?.lag(node, lagMs, run.world.nowMs + forMs)
  },
})

const outcomesUnknown = defineFault({
  name: 'outcomes-unknown',
  about: 'an agent is not told what became of its changes for a while',
  onServers: true,
  perMinute: 2,
  nodesMin: 2,
  fields: { forMs: ms(200, 6_000) },
  apply(run, { node, forMs }) {
    run.cluster.disturb(node, forMs, 'way')
    run.cluster.log?.unknownOutcomes(node, run.world.nowMs + forMs)
  },
})

/** Trouble of the log that servers share. */
export const logFaults: readonly Kind[] = [leaderLost, logLag, outcomesUnknown]
