import { txnRef } from '../../../actors/txn/index.ts'
import type { TxnAnswer, TxnOperation, TxnResult } from '../../../actors/txn/protocol.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { nodeShape, placedCheckShape, serviceShape } from '../catalog-shapes.ts'
import { kvShape } from '../kv-shapes.ts'
import { type HttpReply, question, type Route } from '../route.ts'
import { operationsOf } from '../txn-bodies.ts'

const OPERATIONS_MAX = 64

/** PUT /v1/txn */
export const txnRoute: Route = {
  method: 'PUT',
  path: '/v1/txn',
  statusOf: { invalid: 500 },
  ask({ body, token }, { kvValueBytesMax }) {
    const read = operationsOf(body)
    if (isRefused(read)) return unreadable(read.why)
    if ('undecodable' in read) return unreadable(read.undecodable)
    const { count, operations } = read
    if (count > OPERATIONS_MAX) {
      return { status: 413, text: `Transaction contains too many operations (${count} > ${OPERATIONS_MAX})` }
    }
    const large = operations.find((operation) => valueBytes(operation) > kvValueBytesMax)
    if (large?.on === 'kv') {
      const bytes = valueBytes(large)
      return { status: 413, text: `Value for key ${JSON.stringify(large.key)} is too large (${bytes} > ${kvValueBytesMax} bytes)` }
    }
    return question(txnRef, 'apply', { operations, token })
  },
  reply({ results, errors, readOnly }: TxnAnswer, _request, { datacenter }) {
    return {
      status: errors.length > 0 ? 409 : 200,
      ...(readOnly && { headers: { 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' } }),
      json: {
        Results: errors.length > 0 ? null : results.map((result) => resultShape(result, datacenter)),
        Errors: errors.length > 0 ? errors.map(({ at, why }) => ({ OpIndex: at, What: why })) : null,
        ...(readOnly && { Index: 1, LastContact: 0, KnownLeader: true, ConsistencyLevel: '', NotModified: false, Backend: 0 }),
      },
    }
  },
}

function unreadable(why: string): HttpReply {
  return { status: 400, text: `Failed to parse body: ${why}` }
}

function valueBytes(operation: TxnOperation): number {
  return operation.on === 'kv' ? operation.value.byteLength : 0
}

function resultShape(result: TxnResult, datacenter: string): object {
  if ('entry' in result) return { KV: kvShape(result.key, result.entry) }
  if ('node' in result) return { Node: nodeShape(result.node, datacenter) }
  if ('check' in result) return { Check: placedCheckShape(result.check) }
  return { Service: serviceShape(result.service) }
}
