import test from 'ava'
import fc from 'fast-check'
import { contents, history, LogCluster, type SimLogNode } from './log-arms.ts'

type Step =
  | { do: 'propose' | 'start' | 'crash' | 'cut' | 'open' | 'refuse' | 'stall' | 'unknown' | 'lag' | 'full'; who: number; ms: number }
  | { do: 'isolate' | 'lose' | 'wait' | 'heal'; who: number; ms: number }

const kinds = [
  'propose',
  'propose',
  'propose',
  'wait',
  'start',
  'crash',
  'cut',
  'open',
  'isolate',
  'heal',
  'lose',
  'refuse',
  'stall',
] as const
const rest = ['unknown', 'lag', 'full'] as const
const plans = fc.record({
  members: fc.constantFrom(1, 2, 3, 5, 7),
  seed: fc.string(),
  delayMsMax: fc.constantFrom(2, 50, 800, 12_000),
  steps: fc.array(fc.record({ do: fc.constantFrom(...kinds, ...rest), who: fc.nat(48), ms: fc.nat(2_500) }), {
    minLength: 10,
    maxLength: 80,
    size: 'max',
  }),
})

/** A proposal is a number; what became of it, as far as its proposer was told. */
type Told = 'nothing' | 'done' | 'not done' | 'unknown'

/** A run of a plan: proposals and trouble, then rest. Looks at every step whether members at one position have equal tables. */
class Trial {
  readonly cluster: LogCluster
  readonly told = new Map<string, Told>()
  /** When it was proposed and when its proposer was told that nobody knows, as numbers that only grow. */
  readonly proposedAt = new Map<string, number>()
  readonly lostAt = new Map<string, number>()
  readonly faults: string[] = []
  readonly #atPosition = new Map<number, string>()
  #next = 100
  #events = 0

  constructor(members: number, seed: string, delayMsMax: number) {
    this.cluster = new LogCluster(members, { seed, delayMsMax })
  }

  step({ do: what, who, ms }: Step): void {
    const { cluster } = this
    const { log, world, nodes } = cluster
    const node = nodes[who % nodes.length] as SimLogNode
    const other = nodes[Math.floor(who / nodes.length) % nodes.length] as SimLogNode
    const untilMs = world.nowMs + ms * 4
    if (what === 'propose') this.propose(node)
    else if (what === 'crash' && node.isUp) node.crash()
    else if (what === 'start') node.restart()
    else if (what === 'cut' && node !== other) cluster.cuts.add(`${node.name}>${other.name}`)
    else if (what === 'open') cluster.cuts.delete(`${node.name}>${other.name}`)
    else if (what === 'isolate') cluster.isolate(node.name, other.name)
    else if (what === 'heal') cluster.cuts.clear()
    else if (what === 'lose') log.loseLeader()
    else if (what === 'refuse') node.tables.failNext()
    else if (what === 'full') node.tables.full = !node.tables.full
    else if (what === 'stall') node.stalledUntilMs = untilMs
    else if (what === 'unknown') log.unknownOutcomes(node.name, untilMs)
    else if (what === 'lag') log.lag(node.name, ms, untilMs)
    else if (what === 'wait') cluster.run(ms)
    if (what !== 'wait') cluster.run(ms / 100)
    this.look()
  }

  propose(node: SimLogNode): void {
    const n = this.#next++
    const id = `${node.name}+${n}`
    if (!node.isUp) return
    this.told.set(id, 'nothing')
    this.proposedAt.set(id, this.#events++)
    // A group of two: both or none.
    node.propose(
      [
        { key: node.name, n },
        { key: 'all', n },
      ],
      (outcome) => {
        if (this.told.get(id) !== 'nothing') this.faults.push(`${id} was answered twice`)
        const isThere = history(node.tables.view()).includes(id)
        if (!('refused' in outcome)) this.told.set(id, 'done')
        else this.told.set(id, outcome.refused === 'busy' ? 'not done' : 'unknown')
        if ('refused' in outcome) this.lostAt.set(id, this.#events++)
        if (!('refused' in outcome) && !isThere) this.faults.push(`${id} was answered before it was visible`)
        if ('refused' in outcome && outcome.refused !== 'busy' && outcome.refused !== 'late') this.faults.push(`${id}: ${outcome.why}`)
      },
    )
  }

  look(): void {
    const { nodes, log } = this.cluster
    for (const { name, tables } of nodes) {
      const position = log.appliedOf(name)
      const found = contents(tables.view())
      const known = this.#atPosition.get(position)
      if (position > log.head) this.faults.push(`${name} is at ${position}, ahead of the head`)
      if (known === undefined) this.#atPosition.set(position, found)
      else if (known !== found) this.faults.push(`${name} differs at ${position}`)
    }
  }

  /** What was told to be lost and happened after something that was proposed later, if there is such a thing. */
  overtaken(done: readonly string[]): string | undefined {
    let newestProposedAt = -1
    for (const id of done) {
      const lostAt = this.lostAt.get(id)
      if (lostAt !== undefined && lostAt < newestProposedAt) return id
      newestProposedAt = Math.max(newestProposedAt, this.proposedAt.get(id) ?? -1)
    }
    return undefined
  }

  rest(): void {
    const { cluster } = this
    cluster.cuts.clear()
    cluster.delayMsMax = 2
    for (const node of cluster.nodes) {
      node.tables.full = false
      node.stalledUntilMs = 0
      if (!node.isUp) node.start()
    }
    cluster.log.heal()
    cluster.run(25_000)
    this.look()
  }
}

test('after any trouble all members are equal; what was acknowledged is there once, what was refused with busy is not', (t) => {
  const reached = new Map<string, number>()
  fc.assert(
    fc.property(plans, ({ members, seed, delayMsMax, steps }) => {
      const trial = new Trial(members, seed, delayMsMax)
      for (const step of steps) trial.step(step)
      trial.rest()
      const { log, nodes } = trial.cluster
      t.deepEqual(trial.faults, [])
      const first = contents(nodes[0]!.tables.view())
      for (const { name, tables } of nodes) {
        t.is(log.appliedOf(name), log.head)
        t.is(contents(tables.view()), first)
      }
      const done = history(nodes[0]!.tables.view())
      t.is(trial.overtaken(done), undefined)
      const times = Map.groupBy(done, (what) => what)
      for (const [id, told] of trial.told) {
        const found = times.get(id)?.length ?? 0
        const both = times.get(`all+${id.split('+')[1]}`)?.length ?? 0
        const mark = `${told} ${found}`
        reached.set(mark, (reached.get(mark) ?? 0) + 1)
        t.is(found, both, `${id} is there ${found} times, and its other half ${both} times`)
        if (told === 'done') t.is(found, 1, `${id} was acknowledged`)
        else if (told === 'not done') t.is(found, 0, `${id} was refused`)
        else t.true(found <= 1, `${id} is there ${found} times`)
      }
      // It lives: everybody is served again.
      for (const node of nodes) trial.propose(node)
      trial.cluster.run(5_000)
      t.deepEqual(
        [...trial.told.values()].slice(-nodes.length),
        Array.from(nodes, () => 'done' as Told),
      )
    }),
    { numRuns: 500 },
  )
  // Nothing is told to who crashes meanwhile.
  for (const mark of ['done 1', 'not done 0', 'unknown 0', 'unknown 1', 'nothing 0', 'nothing 1']) t.true(reached.has(mark), mark)
  t.log(Object.fromEntries(reached))
})

test('equal seeds and plans give equal runs', (t) => {
  const runOf = (steps: Step[]) => {
    const trial = new Trial(5, 'again', 50)
    for (const step of steps) trial.step(step)
    trial.rest()
    const { world, log, nodes } = trial.cluster
    return JSON.stringify([world.events, log.leader, log.entries, nodes.map(({ events }) => events)])
  }
  const [plan] = fc.sample(fc.array(plans, { minLength: 1 }), { numRuns: 1, seed: 7 })
  const steps = (plan ?? []).flatMap((one) => one.steps)
  t.is(runOf(steps), runOf(steps))
})
