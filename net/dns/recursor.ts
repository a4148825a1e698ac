import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIP } from 'node:net'
import { type Answer as DecodedRecord, decode } from 'dns-packet'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { addressBytes } from './addresses.ts'
import { encoded } from './encode.ts'
import { fullyQualified, isEncodable } from './names.ts'
import { CLASS_IN, type DnsRecord, FLAG, HEADER_BYTES, RCODE, TYPE } from './records.ts'
import type { DnsSettings } from './settings.ts'
import type { Transport } from './trim.ts'

type RecursorSettings = Pick<DnsSettings, 'recursors' | 'recursorTimeoutMs'>

/** Asks other name servers, one after the other in the order of the settings. */
export interface RecursorClient {
  /** A query as it came in. The answer is the first response that says NOERROR or NXDOMAIN, with the query's id and with
   * the recursion flag set; undefined if no recursor gave one. */
  forward(packet: Buffer, transport: Transport, settings: RecursorSettings): Promise<Buffer | undefined>
  /** The addresses of a host name and the names on the way to them; empty if no recursor knows. */
  lookup(name: string, settings: RecursorSettings): Promise<readonly DnsRecord[]>
  /** Gives up on whatever is under way. */
  close(): void
}

export type RecursorOptions = {
  /** Queries under way at one time; one more fails at once. */
  inFlightMax: number
  /** A recursor that did not help, and why. */
  failed: (recursor: string, why: string) => void
}

export type RecursorAddress = { host: string; port: number }

const PORT_DEFAULT = 53
const PORT_MAX = 65_535
const LENGTH_BYTES = 2
const ID_COUNT = 65_536
const QUESTION_FIXED_BYTES = 4

/** Reads `ip`, `ip:port`, `ipv6` or `[ipv6]:port`. */
export function recursorAddress(text: string): Result<RecursorAddress> {
  if (isIP(text) !== 0) return { host: text, port: PORT_DEFAULT }
  const [, bracketed, bare, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? bare ?? ''
  if (isIP(host) === 0) return refuse('invalid', `recursors: "${text}" is not an IP address with an optional port`)
  const port = digits === undefined ? PORT_DEFAULT : Number(digits)
  if (port < 1 || port > PORT_MAX) return refuse('invalid', `recursors: the port of "${text}" must be between 1 and ${PORT_MAX}`)
  return { host, port }
}

export function createRecursorClient({ inFlightMax, failed }: RecursorOptions): RecursorClient {
  const underWay = new Set<AbortController>()

  /** The first response with an accepted rcode. It has the id of `packet`. */
  async function ask(packet: Buffer, transport: Transport, settings: RecursorSettings): Promise<Buffer | undefined> {
    if (underWay.size >= inFlightMax) {
      failed(settings.recursors.join(', '), `${inFlightMax} queries are under way`)
      return undefined
    }
    const abort = new AbortController()
    underWay.add(abort)
    try {
      for (const recursor of settings.recursors) {
        const reply = await askOne(packet, transport, recursor, settings.recursorTimeoutMs, abort.signal)
        if (!isRefused(reply)) return reply
        if (abort.signal.aborted) return undefined
        failed(recursor, reply.why)
      }
      return undefined
    } finally {
      underWay.delete(abort)
    }
  }

  return {
    async forward(packet, transport, settings) {
      const reply = await ask(packet, transport, settings)
      if (reply !== undefined) reply[3] = reply[3]! | FLAG.recursionAvailable
      return reply
    },
    async lookup(name, settings) {
      const question = { name, type: TYPE.a, class: CLASS_IN }
      const query = encoded({ id: 0, flags: FLAG.recursionDesired, question, answers: [], authorities: [], additionals: [] }, true)
      const reply = query === undefined ? undefined : await ask(query, 'udp', settings)
      const records = reply === undefined ? [] : hostRecordsOf(reply)
      if (!isRefused(records)) return records
      failed(settings.recursors.join(', '), records.why)
      return []
    },
    close() {
      for (const abort of underWay) abort.abort()
    },
  }
}

async function askOne(
  packet: Buffer,
  transport: Transport,
  recursor: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Result<Buffer>> {
  const address = recursorAddress(recursor)
  if (isRefused(address)) return address
  const query = Buffer.from(packet)
  query.writeUInt16BE(randomInt(ID_COUNT), 0)
  const exchange = transport === 'udp' ? exchangeUdp : exchangeTcp
  const reply = await exchange(query, address, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
  if (isRefused(reply))
    return signal.aborted ? reply : refuse(reply.refused, reply.refused === 'late' ? `no answer in ${timeoutMs} ms` : reply.why)
  const rcode = reply[3]! & 0x0f
  if (rcode !== RCODE.noError && rcode !== RCODE.nameError) return refuse('missing', `it answered with rcode ${rcode}`)
  packet.copy(reply, 0, 0, 2)
  return reply
}

/** A socket for each query: its random port and the random id are what an answer has to know. */
function exchangeUdp(query: Buffer, { host, port }: RecursorAddress, signal: AbortSignal): Promise<Result<Buffer>> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4')
    let isOpen = true
    const settle = (result: Result<Buffer>) => {
      signal.removeEventListener('abort', late)
      if (isOpen) socket.close()
      isOpen = false
      resolve(result)
    }
    const late = () => settle(LATE)
    if (signal.aborted) return settle(LATE)
    signal.addEventListener('abort', late)
    socket.on('error', (error) => settle(refuse('missing', error.message)))
    socket.on('message', (reply) => {
      if (answers(reply, query)) settle(Buffer.from(reply))
    })
    socket.connect(port, host, () => {
      if (isOpen) socket.send(query)
    })
  })
}

function exchangeTcp(query: Buffer, { host, port }: RecursorAddress, signal: AbortSignal): Promise<Result<Buffer>> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    let received = Buffer.alloc(0)
    const settle = (result: Result<Buffer>) => {
      signal.removeEventListener('abort', late)
      socket.destroy()
      resolve(result)
    }
    const late = () => settle(LATE)
    if (signal.aborted) return settle(LATE)
    signal.addEventListener('abort', late)
    socket.on('error', (error) => settle(refuse('missing', error.message)))
    socket.on('close', () => settle(refuse('missing', 'it closed the connection without an answer')))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < LENGTH_BYTES || received.length < LENGTH_BYTES + received.readUInt16BE(0)) return
      const reply = received.subarray(LENGTH_BYTES, LENGTH_BYTES + received.readUInt16BE(0))
      settle(answers(reply, query) ? Buffer.from(reply) : refuse('invalid', 'its answer belongs to another question'))
    })
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeUInt16BE(query.length, 0)
    socket.write(Buffer.concat([length, query]))
  })
}

const LATE = refuse('late', 'no answer in time')

/** Whether a packet is a response with the query's id and, if it has a question, the same one. */
function answers(reply: Buffer, query: Buffer): boolean {
  if (reply.length < HEADER_BYTES || (reply[2]! & 0x80) === 0 || reply.readUInt16BE(0) !== query.readUInt16BE(0)) return false
  if (reply.readUInt16BE(4) === 0) return true
  let end = HEADER_BYTES
  while (end < query.length && query[end] !== 0) end += query[end]! + 1
  end += 1 + QUESTION_FIXED_BYTES
  const asked = query.toString('latin1', HEADER_BYTES, end).toLowerCase()
  return reply.toString('latin1', HEADER_BYTES, end).toLowerCase() === asked
}

/** The addresses and CNAMEs in a response's answer section. */
function hostRecordsOf(reply: Buffer): Result<DnsRecord[]> {
  try {
    return (decode(reply).answers ?? []).flatMap(hostRecord)
  } catch (error) {
    return refuse('invalid', `its answer cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** No record if it is of another kind or has a name that cannot be sent on. Throws if its address is cut off. */
function hostRecord(record: DecodedRecord): DnsRecord[] {
  const name = fullyQualified(record.name)
  if (!isEncodable(name)) return []
  if (record.type === 'A' || record.type === 'AAAA') {
    const bytes = addressBytes(record.data)
    if (bytes === undefined) throw new Error(`the address of ${name} is "${record.data}"`)
    return [{ type: record.type, name, ttlSeconds: record.ttl ?? 0, address: record.data }]
  }
  if (record.type !== 'CNAME') return []
  const target = fullyQualified(record.data)
  return isEncodable(target) ? [{ type: 'CNAME', name, ttlSeconds: record.ttl ?? 0, target }] : []
}
