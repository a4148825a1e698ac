import type { InstanceRegistration } from '../../actors/catalog/instance-changes.ts'
import type { TxnOperation } from '../../actors/txn/protocol.ts'
import { isRefused, type Refusal } from '../kernel/refusal.ts'
import { checkOf, decoding, STATUSES, type Undecodable } from './catalog-bodies.ts'
import { type Fields, Misfit, readFields } from './loose-body.ts'
import { jsonOf } from './parameters.ts'

/**
 * Reads the body of `/v1/txn`. Refused with the text that follows `Failed to parse body: `. An operation on nothing is passed over,
 * as Consul does. Source: http-api §6.
 */
export function operationsOf(body: Buffer): { count: number; operations: TxnOperation[] } | Undecodable | Refusal {
  const plain = jsonOf(body)
  if (isRefused(plain)) return plain
  if (plain.value === null) return { count: 0, operations: [] }
  const text = body.toString('utf8')
  const value: unknown = LARGE_NUMBER.test(text) ? JSON.parse(text, exactFlags as (key: string, value: unknown) => unknown) : plain.value
  return decoding(() => {
    if (!Array.isArray(value)) throw new Misfit(`json: cannot unmarshal ${typeof value} into Go value of type api.TxnOps`)
    return { count: value.length, operations: value.flatMap((item: unknown) => operationOf(readFields(item, ''))) }
  })
}

/** A number that may have more digits than JavaScript keeps. */
const LARGE_NUMBER = /:\s*\d{16}/

/** The flags of a key have 64 bits; the source text of a number is a part of ES2026 that V8 has. */
function exactFlags(key: string, value: unknown, context: { source?: string }): unknown {
  const isLarge = typeof value === 'number' && !Number.isSafeInteger(value) && key.toLowerCase() === 'flags'
  return isLarge && /^\d+$/.test(context.source ?? '') ? BigInt(context.source ?? '') : value
}

function operationOf(fields: Fields): TxnOperation[] {
  const kv = fields.object('KV')
  if (kv) return [kvOperation(kv)]
  const node = fields.object('Node')
  if (node) return [nodeOperation(node)]
  const service = fields.object('Service')
  if (service) return [serviceOperation(service)]
  const check = fields.object('Check')
  return check ? [checkOperation(check)] : []
}

const NOTHING = readFields({}, '')

function kvOperation(fields: Fields): TxnOperation {
  return {
    on: 'kv',
    verb: fields.text('Verb'),
    key: fields.text('Key').toWellFormed(),
    value: bytesOf(fields.text('Value')),
    flags: flagsOf(fields.raw('Flags')),
    index: fields.unsigned('Index'),
    session: fields.text('Session'),
  }
}

function nodeOperation(fields: Fields): TxnOperation {
  const node = fields.object('Node') ?? NOTHING
  return {
    on: 'node',
    verb: fields.text('Verb'),
    node: {
      node: node.text('Node'),
      id: node.text('ID'),
      address: node.text('Address'),
      taggedAddresses: node.texts('TaggedAddresses'),
      meta: node.texts('Meta'),
    },
    index: node.unsigned('ModifyIndex'),
  }
}

function serviceOperation(fields: Fields): TxnOperation {
  const service = fields.object('Service') ?? NOTHING
  return {
    on: 'service',
    verb: fields.text('Verb'),
    node: fields.text('Node'),
    service: instanceOf(service),
    index: service.unsigned('ModifyIndex'),
  }
}

/** Transactions know services of the typical kind only; what makes a proxy of one is passed over. */
function instanceOf(fields: Fields): InstanceRegistration {
  const name = fields.text('Service')
  const weights = fields.object('Weights') ?? NOTHING
  return {
    id: fields.text('ID') || name,
    name,
    kind: '',
    tags: fields.list('Tags'),
    address: fields.text('Address'),
    taggedAddresses: {},
    meta: fields.texts('Meta') ?? {},
    port: fields.number('Port'),
    socketPath: '',
    enableTagOverride: fields.flag('EnableTagOverride'),
    weights: { passing: weights.number('Passing'), warning: weights.number('Warning') },
    native: false,
  }
}

function checkOperation(fields: Fields): TxnOperation {
  const given = fields.object('Check') ?? NOTHING
  const check = checkOf(given)
  if (!STATUSES.includes(check.status)) throw new Misfit(`Invalid check status: '${check.status}'`)
  return { on: 'check', verb: fields.text('Verb'), check, index: given.unsigned('ModifyIndex') }
}

/** Base64 as Go reads it: complete, with its padding; line ends do not count. */
function bytesOf(text: string): Buffer {
  const digits = text.replace(/[\r\n]/g, '')
  const isWhole = digits.length % 4 === 0 && /^[A-Za-z\d+/]*={0,2}$/.test(digits)
  if (isWhole) return Buffer.from(digits, 'base64')
  const odd = digits.search(/[^A-Za-z\d+/]/)
  throw new Misfit(`illegal base64 data at input byte ${odd < 0 ? digits.length - (digits.length % 4) : odd}`)
}

function flagsOf(value: unknown): bigint {
  if (value === undefined) return 0n
  if (typeof value === 'bigint' && value <= FLAGS_MAX) return value
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  const what = typeof value === 'number' || typeof value === 'bigint' ? `number ${value}` : typeof value
  throw new Misfit(`json: cannot unmarshal ${what} into Go struct field KVTxnOp.KV.Flags of type uint64`)
}

const FLAGS_MAX = 0xffff_ffff_ffff_ffffn
