import { defineActor } from '../src/kernel/actor.ts'
import { type Call, refOf, type Subscriber } from '../src/kernel/protocol.ts'
import type { FeedsProtocol } from './feeds/protocol.ts'
import type { LeafProtocol } from './leaf/protocol.ts'

/** The sources of a sidecar whose agent is another process: it repeats what it is told from outside the actors. */
export type RelayProtocol = FeedsProtocol &
  Pick<LeafProtocol, 'leaf'> & {
    /** The newest value of a feed; `about` is the service or the prepared query it is about, '' for the roots. */
    put: Call<{ feed: RelayedFeed; about: string; index: number; value: unknown }, null>
  }
export type RelayedFeed = keyof FeedsProtocol | 'leaf'

type RelayState = { values: Map<string, { index: number; value: unknown }>; subscribers: Map<string, Subscriber[]> }

export const relayRef = refOf<RelayProtocol>('relay')

export const relay = defineActor<RelayProtocol, object, RelayState>({
  name: 'relay',
  mailboxMax: 4_096,
  init: () => ({ values: new Map(), subscribers: new Map() }),
  on: {
    roots: (state, _request, turn, subscriber) => follow(state, nameOf('roots', ''), subscriber, turn),
    leaf: (state, { service }, turn, subscriber) => follow(state, nameOf('leaf', service), subscriber, turn),
    intentions: (state, { destination }, turn, subscriber) => follow(state, nameOf('intentions', destination), subscriber, turn),
    instances: (state, { service }, turn, subscriber) => follow(state, nameOf('instances', service), subscriber, turn),

    query: (state, { query }, turn, subscriber) => follow(state, nameOf('query', query), subscriber, turn),

    put({ values, subscribers }, { feed, about, index, value }, turn) {
      const name = nameOf(feed, about)
      const known = values.get(name)
      values.set(name, { index, value })
      if (known && JSON.stringify(known.value) === JSON.stringify(value)) return null
      for (const subscriber of subscribers.get(name) ?? []) turn.emit(subscriber, index, value)
      return null
    },
  },

  left({ subscribers }, { peer, feed }) {
    for (const [name, list] of subscribers) {
      subscribers.set(
        name,
        list.filter((other) => other.peer !== peer || other.feed !== feed),
      )
    }
  },
})

type Emitter = { emit(subscriber: Subscriber, index: number, value: unknown): void }

function follow({ values, subscribers }: RelayState, name: string, subscriber: Subscriber, turn: Emitter): void {
  subscribers.set(name, [...(subscribers.get(name) ?? []), subscriber])
  const known = values.get(name)
  if (known) turn.emit(subscriber, known.index, known.value)
}

function nameOf(feed: RelayedFeed, about: string): string {
  return `${feed}/${about}`
}
