import { type Result, refuse } from '../../src/kernel/refusal.ts'
import type { UserEvent } from './protocol.ts'

/** Under which members tell each other of user events. */
export const EVENT_TOPIC = 'event'

/** An event as members pass it on; what is empty is left out. */
export function packEvent({ id, name, payload, nodeFilter, serviceFilter, tagFilter, version, lamportTime }: UserEvent): object {
  return {
    id,
    name,
    version,
    lamportTime,
    ...(payload.byteLength > 0 && { payload }),
    ...(nodeFilter !== '' && { nodeFilter }),
    ...(serviceFilter !== '' && { serviceFilter }),
    ...(tagFilter !== '' && { tagFilter }),
  }
}

/** `invalid` with the field that is wrong. */
export function readEvent(body: object): Result<UserEvent> {
  const { id, name, version, lamportTime, ...rest } = body as Record<string, unknown>
  const { payload = new Uint8Array(), nodeFilter = '', serviceFilter = '', tagFilter = '' } = rest
  if (typeof id !== 'string' || !UUID.test(id)) return refuse('invalid', 'id: must be a UUID')
  if (typeof name !== 'string' || name === '') return refuse('invalid', 'name: must be a name')
  if (!(payload instanceof Uint8Array)) return refuse('invalid', 'payload: must be bytes')
  if (!isWhole(version)) return refuse('invalid', 'version: must be a whole number')
  if (!isWhole(lamportTime)) return refuse('invalid', 'lamportTime: must be a whole number')
  if (typeof nodeFilter !== 'string') return refuse('invalid', 'nodeFilter: must be a text')
  if (typeof serviceFilter !== 'string') return refuse('invalid', 'serviceFilter: must be a text')
  if (typeof tagFilter !== 'string') return refuse('invalid', 'tagFilter: must be a text')
  return { id, name, payload, nodeFilter, serviceFilter, tagFilter, version, lamportTime }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
