import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type Call, type Cast, refOf } from '../../src/kernel/protocol.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { nodeTable } from '../catalog/records.ts'
import { nodeKey } from '../catalog/tables.ts'
import { commit } from '../ledger.ts'
import { type Coordinate, type CoordinateRecord, coordinateKey, coordinateTable, VEC_LENGTH } from './tables.ts'

/** Where nodes are in the network. Reading needs no actor: see queries.ts. */
export type CoordinatesProtocol = {
  /**
   * Answered before it is written: updates are gathered and written together, within BATCH_MS, the first one of a node at once. `isKnown`:
   * whether the catalog has the node; if not, nothing is written.
   */
  update: Call<CoordinateRecord & { token: Token }, { isKnown: boolean }>
}
type CoordinatesOwn = {
  batch: Cast<null>
  written: Cast<{ result: Result<null> }>
}
/** `isSoon`: what waits is written at once. */
type CoordinatesState = { waiting: Map<string, CoordinateRecord>; isSoon: boolean; enabled: boolean }
/** `enabled`: whether this server takes what agents say. */
export type CoordinatesArgs = { enabled: boolean }

const BATCH_MS = 5_000
/** Updates of one batch. More are dropped: each node says it again soon. */
const BATCH_MAX = 640
/** A node that was nowhere yet does not wait for the others. */
const FIRST_MS = 50
const NUMBER_MAX = 1e9

export const coordinatesRef = refOf<CoordinatesProtocol>('coordinates')

export const coordinates = defineActor<CoordinatesProtocol, CoordinatesOwn, CoordinatesState, CoordinatesArgs>({
  name: 'coordinates',
  mailboxMax: 4_096,
  remote: ['update'],
  init: ({ enabled }) => ({ waiting: new Map(), isSoon: false, enabled }),
  on: {
    update(state, { token, ...record }, turn) {
      const denied = authorize(turn.view, token, { resource: 'node', name: record.node, access: 'write' })
      if (denied) return denied
      if (!state.enabled) return refuse('forbidden', 'Coordinate support disabled')
      const wrong = coordinateWrong(record.coordinate)
      if (wrong !== undefined) return refuse('invalid', wrong)
      const isKnown = nodeTable.get(turn.view, nodeKey(record.node)) !== undefined
      if (isKnown) gather(state, record, turn)
      return { isKnown }
    },

    batch(state, _request, turn) {
      const updates = [...state.waiting.values()]
      state.waiting.clear()
      state.isSoon = false
      commit(turn, 'coordinates.update', { updates }, (result) => ({ name: 'written', request: { result } }))
    },

    written(_state, { result }, turn) {
      if (isRefused(result)) turn.print('warn', 'Coordinates were not written', { error: result.why })
    },
  },
})

function gather(state: CoordinatesState, record: CoordinateRecord, turn: Turn<CoordinatesOwn>): void {
  const { waiting } = state
  const key = coordinateKey(record.node, record.segment)
  if (waiting.size >= BATCH_MAX && !waiting.has(key)) {
    turn.count('coordinates.dropped')
    return
  }
  const isFirst = !state.isSoon && turn.view.get(coordinateTable, key) === undefined
  if (isFirst) state.isSoon = true
  if (isFirst || waiting.size === 0) turn.timer('batch', isFirst ? FIRST_MS : BATCH_MS, { name: 'batch', request: null })
  waiting.set(key, record)
}

/** Numbers that make no distance would spoil every order. */
function coordinateWrong({ vec, error, adjustment, height }: Coordinate): string | undefined {
  const numbers = [...vec, error, adjustment, height]
  if (!numbers.every((value) => Number.isFinite(value) && Math.abs(value) <= NUMBER_MAX)) return 'invalid coordinate'
  return vec.length === VEC_LENGTH ? undefined : 'incompatible coordinate'
}
