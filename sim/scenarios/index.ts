import type { Kind } from '../kind.ts'

/** What a run is about: how many agents, for how long, and how often each kind of event comes. */
export type Scenario = {
  name: string
  about: string
  /** Servers, drawn for each run unless somebody says how many. */
  nodes: readonly number[]
  /** Client agents besides them, drawn too. Default: none. Where there may be none, there are none if somebody says how many agents there are. */
  clients?: readonly number[]
  /** Virtual seconds with trouble. */
  seconds: number
  checkEveryMs: number
  /** Kinds that every run has. The others are drawn. */
  certain?: readonly string[]
  /** Multiplies how often a kind comes; 0: not at all. */
  rate(kind: Kind): number
}

const CHECK_EVERY_MS = 2_000
const WEEK_SECONDS = 7 * 24 * 3_600

const mixed: Scenario = {
  name: 'mixed',
  about: 'everything, in all combinations',
  nodes: [1, 1, 1, 3, 3, 5],
  clients: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2],
  seconds: 60,
  checkEveryMs: CHECK_EVERY_MS,
  rate: () => 1,
}

const calm: Scenario = {
  name: 'calm',
  about: 'no trouble at all: nothing may be refused',
  nodes: [1, 3],
  seconds: 60,
  checkEveryMs: CHECK_EVERY_MS,
  rate: ({ isFault }) => (isFault ? 0 : 1),
}

const NETWORK = ['partition', 'one-way-cut', 'slow-link', 'packet-loss', 'leader-lost', 'log-lag']
const network: Scenario = {
  name: 'network',
  about: 'three or five agents on a bad network',
  nodes: [3, 5],
  seconds: 90,
  checkEveryMs: CHECK_EVERY_MS,
  certain: ['partition', 'traffic', 'kv.put'],
  // Promises are looked at between two troubles, so there must be time between them.
  rate: ({ name, isFault }) => (isFault ? (NETWORK.includes(name) ? 0.7 : 0) : 2),
}

const power: Scenario = {
  name: 'power',
  about: 'machines that stop and come back, in any order, all at once too',
  nodes: [1, 3, 5],
  seconds: 90,
  checkEveryMs: CHECK_EVERY_MS,
  certain: ['crash'],
  rate: ({ name, isFault }) => (name === 'crash' || name === 'crash-all' ? 3 : isFault && !name.startsWith('disk') ? 0 : 1),
}

const weeks: Scenario = {
  name: 'weeks',
  about: 'three virtual weeks in which certificates run out and are renewed, whatever happens',
  nodes: [1, 3],
  seconds: 3 * WEEK_SECONDS,
  checkEveryMs: 3_600_000,
  certain: ['traffic'],
  // Agents must run for days, or no certificate gets old.
  rate: ({ isFault, name }) => (isFault || name === 'watch' ? 1 / 20_000 : 1 / 5_000),
}

const months: Scenario = {
  name: 'months',
  about: 'three virtual months in which certificates are renewed and the root changes now and then',
  nodes: [1, 1, 1, 3],
  seconds: 90 * 24 * 3_600,
  checkEveryMs: 6 * 3_600_000,
  certain: ['traffic', 'ca.rotate'],
  rate: ({ isFault, name }) => (isFault || name === 'watch' ? 1 / 60_000 : isAboutRoots(name) ? 1 / 40_000 : 1 / 30_000),
}

const rotation: Scenario = {
  name: 'rotation',
  about: 'eight virtual hours in which the root changes again and again, and old ones go',
  nodes: [1, 3, 3],
  seconds: 8 * 3_600,
  checkEveryMs: 60_000,
  certain: ['traffic', 'ca.rotate'],
  rate: ({ isFault, name }) => (isFault ? 1 / 30 : isAboutRoots(name) ? 1 / 50 : name === 'traffic' ? 1 / 10 : 1 / 120),
}

const gossip: Scenario = {
  name: 'gossip',
  about: 'members of clusters that watch each other, on one agent that does nothing else',
  nodes: [1],
  seconds: 600,
  checkEveryMs: CHECK_EVERY_MS,
  certain: ['members.found', 'members.crash'],
  rate: ({ name }) => (name.startsWith('members.') ? 1 : 0),
}

const clients: Scenario = {
  name: 'clients',
  about: 'client agents that run the services, and servers that they lose, change and come back to',
  nodes: [1, 3, 3],
  clients: [1, 2, 3],
  seconds: 90,
  checkEveryMs: CHECK_EVERY_MS,
  certain: ['traffic', 'kv.put', 'kv.get'],
  // A client that has lost its server takes its time: there must be time between two troubles.
  rate: ({ isFault }) => (isFault ? 0.3 : 1),
}

const away: Scenario = {
  name: 'away',
  about: 'every server goes away again and again; services of clients go on',
  nodes: [1, 3],
  clients: [2, 3],
  seconds: 180,
  checkEveryMs: CHECK_EVERY_MS,
  certain: ['servers-away', 'traffic'],
  rate: ({ isFault, name }) => (name === 'servers-away' ? 1 : isFault ? 0 : name.startsWith('intention.') ? 0.1 : 0.3),
}

/** Every scenario that can be asked for by name. */
export const scenarios: readonly Scenario[] = [mixed, calm, network, power, clients, away, rotation, weeks, months, gossip]

function isAboutRoots(name: string): boolean {
  return name.startsWith('ca.')
}

export function scenarioNamed(name: string): Scenario | undefined {
  return scenarios.find((scenario) => scenario.name === name)
}
