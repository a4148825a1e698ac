import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import type { Cast, Subscriber } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'
import { trustBundle } from '../ca/queries.ts'
import { connectInstances, type Instance, onlyPassing } from '../catalog/queries.ts'
import { nodeIndex } from '../catalog/tables.ts'
import { indexOf } from '../command.ts'
import { intentionsTo } from '../intentions/queries.ts'
import { mirroredRows } from '../mirror/rows.ts'
import { queryInstances } from '../prepared-queries/execute.ts'
import { resolveQuery } from '../prepared-queries/queries.ts'
import { QUERIES } from '../prepared-queries/tables.ts'
import type { ConnectInstance, IntentionsOn, QueryInstances, ServerFeedsProtocol } from './protocol.ts'

/** `defaultAllow`: what holds where no intention matches. */
export type FeedsArgs = { defaultAllow: boolean; datacenter: string }

type FeedsOwn = { changed: Cast<{ name: string }> }

/** What somebody follows; undefined: there is nothing to say yet. */
type Finding = { index: number; value: unknown } | undefined
type Question =
  | { feed: 'roots' }
  | { feed: 'intentions'; destination: string }
  | { feed: 'instances'; service: string }
  | { feed: 'query'; query: string }
  | { feed: 'mirror'; node: string }
type Query = { question: Question; subscribers: Subscriber[]; found: Finding; text: string }

export type FeedsState = { args: FeedsArgs; queries: Map<string, Query> }

/** Evaluates each question once for all who follow it, again when something it read changes, and tells only what is new. */
export const feeds = defineActor<ServerFeedsProtocol, FeedsOwn, FeedsState, FeedsArgs>({
  name: 'feeds',
  mailboxMax: 16_384,
  remote: ['roots', 'intentions', 'instances', 'query', 'mirror'],
  init: (args) => ({ args, queries: new Map() }),
  on: {
    roots(state, _request, turn, subscriber) {
      follow(state, { feed: 'roots' }, subscriber, turn)
    },
    intentions(state, { destination }, turn, subscriber) {
      follow(state, { feed: 'intentions', destination }, subscriber, turn)
    },
    instances(state, { service }, turn, subscriber) {
      follow(state, { feed: 'instances', service }, subscriber, turn)
    },
    query(state, { query }, turn, subscriber) {
      follow(state, { feed: 'query', query }, subscriber, turn)
    },
    mirror(state, { node }, turn, subscriber) {
      follow(state, { feed: 'mirror', node }, subscriber, turn)
    },

    changed(state, { name }, turn) {
      const query = state.queries.get(name)
      if (!query || !evaluate(state, name, query, turn)) return
      for (const subscriber of query.subscribers) tell(query, subscriber, turn)
    },
  },

  left({ queries }, subscriber, turn) {
    for (const [name, query] of queries) {
      query.subscribers = query.subscribers.filter(({ peer, feed }) => peer !== subscriber.peer || feed !== subscriber.feed)
      if (query.subscribers.length > 0) continue
      queries.delete(name)
      turn.unwake(name)
    }
  },
})

function follow(state: FeedsState, question: Question, subscriber: Subscriber, turn: Turn<FeedsOwn>): void {
  const name = JSON.stringify(question)
  let query = state.queries.get(name)
  if (!query) {
    query = { question, subscribers: [], found: undefined, text: '' }
    state.queries.set(name, query)
    evaluate(state, name, query, turn)
  }
  query.subscribers.push(subscriber)
  tell(query, subscriber, turn)
}

function tell({ found }: Query, subscriber: Subscriber, turn: Turn<FeedsOwn>): void {
  if (found) turn.emit(subscriber, found.index, found.value)
}

/** Whether there is something new to tell. */
function evaluate(state: FeedsState, name: string, query: Query, turn: Turn<FeedsOwn>): boolean {
  const { view, reads } = recordReads(turn.view)
  const found = find(view, query.question, state.args)
  turn.wake(name, reads, { name: 'changed', request: { name } })
  // Whoever waits until intentions or roots are in force waits for an index, whether the change made a difference here or not.
  const isWaitedFor = query.question.feed === 'roots' || query.question.feed === 'intentions'
  const text = JSON.stringify(isWaitedFor ? found : found?.value) ?? ''
  if (text === query.text) return false
  query.found = found
  query.text = text
  return found !== undefined
}

function find(view: View, question: Question, { defaultAllow, datacenter }: FeedsArgs): Finding {
  switch (question.feed) {
    case 'roots': {
      const found = trustBundle(view)
      return found && { index: found.index, value: found.bundle }
    }
    case 'intentions': {
      const { index, intentions } = intentionsTo(view, question.destination)
      const list = intentions.map(({ id, source, destination, action, permissions }) => ({
        id,
        source,
        destination,
        action,
        ...(permissions && { permissions }),
      }))
      return { index, value: { list, defaultAllow } satisfies IntentionsOn }
    }
    case 'instances': {
      const { index, instances } = connectInstances(view, question.service)
      return { index, value: onlyPassing(instances).map((found) => instanceOf(found, datacenter)) }
    }
    case 'query':
      return askedFor(view, question.query, datacenter)
    case 'mirror':
      return { index: indexOf(view, nodeIndex(question.node)), value: mirroredRows(view, question.node) }
  }
}

function askedFor(view: View, name: string, datacenter: string): { index: number; value: QueryInstances } {
  const query = resolveQuery(view, name)
  const index = indexOf(view, QUERIES)
  if (query === undefined) return { index, value: { instances: [], why: `there is no prepared query ${JSON.stringify(name)}` } }
  if (isRefused(query)) return { index, value: { instances: [], why: query.why } }
  const instances = queryInstances(view, query.service, true).map((found) => instanceOf(found, datacenter))
  return { index: Math.max(index, connectInstances(view, query.service.service).index), value: { instances, why: '' } }
}

function instanceOf({ node, instance }: Instance, datacenter: string): ConnectInstance {
  return {
    node: node.name,
    id: instance.id,
    address: instance.address === '' ? node.address : instance.address,
    port: instance.port,
    service: instance.proxy?.destinationServiceName || instance.name,
    datacenter,
    weight: instance.weights.passing,
  }
}
