import { defineActor, type Turn } from '../../src/kernel/actor.ts'
import { type Call, type Cast, refOf } from '../../src/kernel/protocol.ts'
import { recordReads } from '../../src/kernel/recording-view.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authorize, type Token } from '../authorize.ts'
import { nodeTable } from '../catalog/records.ts'
import { same } from '../catalog/same.ts'
import { nodeKey } from '../catalog/tables.ts'
import { commit } from '../ledger.ts'
import { type Coordinate, type CoordinateRecord, coordinateKey, coordinateTable, origin, VEC_LENGTH } from './tables.ts'

/** Where nodes are in the network. Reading needs no actor: see queries.ts. */
export type CoordinatesProtocol = {
  /** Answered before it is written: updates are gathered and written together, within BATCH_MS. */
  update: Call<CoordinateRecord & { token: Token }, null>
}
type CoordinatesOwn = {
  batch: Cast<null>
  announce: Cast<null>
  written: Cast<{ result: Result<null> }>
}
type CoordinatesState = { waiting: Map<string, CoordinateRecord>; enabled: boolean }
/** `enabled`: whether this agent tells where it is, and takes what others say. */
export type CoordinatesArgs = { enabled: boolean }

const BATCH_MS = 5_000
/** Updates of one batch. More are dropped: each node says it again soon. */
const BATCH_MAX = 640
/** An agent looks after so long, and up to as much again, whether the catalog knows where it is. */
const ANNOUNCE_MS = 15_000
const NUMBER_MAX = 1e9

export const coordinatesRef = refOf<CoordinatesProtocol>('coordinates')

export const coordinates = defineActor<CoordinatesProtocol, CoordinatesOwn, CoordinatesState, CoordinatesArgs>({
  name: 'coordinates',
  mailboxMax: 4_096,
  remote: ['update'],
  init({ enabled }, turn) {
    if (enabled) turn.again({ name: 'announce', request: null })
    return { waiting: new Map(), enabled }
  },
  on: {
    update(state, { token, ...record }, turn) {
      const denied = authorize(turn.view, token, { resource: 'node', name: record.node, access: 'write' })
      if (denied) return denied
      if (!state.enabled) return refuse('forbidden', 'Coordinate support disabled')
      const wrong = coordinateWrong(record.coordinate)
      if (wrong !== undefined) return refuse('invalid', wrong)
      gather(state, record, turn)
      return null
    },

    batch(state, _request, turn) {
      const updates = [...state.waiting.values()]
      state.waiting.clear()
      commit(turn, 'coordinates.update', { updates }, (result) => ({ name: 'written', request: { result } }))
    },

    announce(_state, _request, turn) {
      const { view, reads } = recordReads(turn.view)
      if (!nodeTable.get(view, nodeKey(turn.node))) {
        turn.wake('registered', reads, { name: 'announce', request: null })
        return
      }
      const own: CoordinateRecord = { node: turn.node, segment: '', coordinate: ownCoordinate() }
      if (!same(turn.view.get(coordinateTable, coordinateKey(own.node, own.segment)), own)) {
        commit(turn, 'coordinates.update', { updates: [own] }, (result) => ({ name: 'written', request: { result } }))
      }
      turn.timer('announce', ANNOUNCE_MS + turn.random.int(0, ANNOUNCE_MS), { name: 'announce', request: null })
    },

    written(_state, { result }, turn) {
      if (isRefused(result)) turn.print('warn', 'Coordinates were not written', { error: result.why })
    },
  },
})

/** Where this agent is. It is alone, so there is nobody to measure the distance to. */
function ownCoordinate(): Coordinate {
  return origin()
}

function gather({ waiting }: CoordinatesState, record: CoordinateRecord, turn: Turn<CoordinatesOwn>): void {
  const key = coordinateKey(record.node, record.segment)
  if (waiting.size >= BATCH_MAX && !waiting.has(key)) {
    turn.count('coordinates.dropped')
    return
  }
  if (waiting.size === 0) turn.timer('batch', BATCH_MS, { name: 'batch', request: null })
  waiting.set(key, record)
}

/** Numbers that make no distance would spoil every order. */
function coordinateWrong({ vec, error, adjustment, height }: Coordinate): string | undefined {
  const numbers = [...vec, error, adjustment, height]
  if (!numbers.every((value) => Number.isFinite(value) && Math.abs(value) <= NUMBER_MAX)) return 'invalid coordinate'
  return vec.length === VEC_LENGTH ? undefined : 'incompatible coordinate'
}
