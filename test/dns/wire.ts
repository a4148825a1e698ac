import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'
import { type DecodedPacket, decode, encode, type Packet, type RecordType } from 'dns-packet'
import { TYPE } from '../../net/dns/records.ts'
import { type DnsOptions, type DnsServer, startDns } from '../../net/dns/server.ts'
import { type DnsSettings, dnsSettings } from '../../net/dns/settings.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { answersFrom, catalog } from './fixture.ts'

/** What a server said besides its answers. */
export type Heard = { kinds: string[]; printed: string[] }

export type Started = DnsServer & Heard

/** A server until the end of the test. */
export async function started(
  t: ExecutionContext,
  settings: Partial<DnsSettings> = {},
  changes: Partial<DnsOptions> = {},
): Promise<Started> {
  const heard: Heard = { kinds: [], printed: [] }
  const fixed = dnsSettings(settings)
  const server = await startDns({
    addresses: ['127.0.0.1'],
    port: 0,
    reusePort: false,
    answers: answersFrom(catalog()),
    settings: () => fixed,
    report: (kind) => heard.kinds.push(kind),
    print: (level, line, facts) => heard.printed.push(`${level} ${line} ${JSON.stringify(facts)}`),
    ...changes,
  })
  if (isRefused(server)) throw new Error(server.why)
  t.teardown(() => server.close())
  return { ...server, ...heard }
}

export function query(name: string, type: RecordType | 'ANY' = 'A', changes: Packet = {}): Buffer {
  const packet = encode({ type: 'query', id: 513, flags: 0x0100, questions: [{ type: type === 'ANY' ? 'A' : type, name }], ...changes })
  if (type === 'ANY') packet.writeUInt16BE(TYPE.any, packet.length - 4)
  return packet
}

/** A query with an OPT record that has a client subnet. */
export function queryWithSubnet(name: string, udpSizeBytes: number): Buffer {
  const packet = query(name)
  packet.writeUInt16BE(1, 10)
  const opt = Buffer.from('000029000000000000000b0008000700011800c00002', 'hex')
  opt.writeUInt16BE(udpSizeBytes, 3)
  return Buffer.concat([packet, opt])
}

export type Reply = DecodedPacket & { rcode: string }

function read(packet: Buffer): Reply {
  return { ...decode(packet), rcode: RCODES[packet[3]! & 0x0f] ?? '' }
}

export const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED']

/** Sends packets over UDP in order; the answer is the first packet that comes back. */
export async function overUdp(port: number, ...packets: Buffer[]): Promise<Reply> {
  const socket = createSocket('udp4')
  try {
    const answered = once(socket, 'message')
    for (const packet of packets) socket.send(packet, port, '127.0.0.1')
    const [bytes]: Buffer[] = await answered
    return read(bytes!)
  } finally {
    socket.close()
  }
}

export function framed(packet: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(packet.length, 0)
  return Buffer.concat([length, packet])
}

/** All messages of a connection until the other side ends it. */
export async function messagesUntilEnd(socket: Socket): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', (error) => chunks.push(framed(Buffer.from(error.message))))
  await once(socket, 'close')
  let rest = Buffer.concat(chunks)
  const messages: Buffer[] = []
  while (rest.length >= 2) {
    messages.push(rest.subarray(2, 2 + rest.readUInt16BE(0)))
    rest = rest.subarray(2 + rest.readUInt16BE(0))
  }
  return messages
}

/** Writes packets over one connection, ends this side of it and reads until the other side ends too. */
export async function overTcp(port: number, ...packets: Buffer[]): Promise<Reply[]> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.end(Buffer.concat(packets.map(framed)))
  return (await messagesUntilEnd(socket)).map(read)
}

/** A name server that answers as told; undefined says nothing. `asked` has the queries. */
export type Upstream = { address: string; asked: DecodedPacket[]; close(): void }

export async function upstream(
  t: ExecutionContext,
  answer: (query: DecodedPacket) => Packet | Buffer | Buffer[] | undefined,
): Promise<Upstream> {
  const asked: DecodedPacket[] = []
  const replies = (packet: Buffer): Buffer[] => {
    const query = decode(packet)
    asked.push(query)
    const reply = answer(query)
    if (reply === undefined) return []
    if (Array.isArray(reply)) return reply
    return [Buffer.isBuffer(reply) ? reply : responseTo(query, reply)]
  }
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      const packets = replies(chunk.subarray(2))
      if (packets.length === 0) socket.destroy()
      for (const packet of packets) socket.write(framed(packet))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0
  const socket = createSocket('udp4')
  socket.on('message', (packet, from) => {
    for (const reply of replies(packet)) socket.send(reply, from.port, from.address)
  })
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  let isOpen = true
  const close = () => {
    if (!isOpen) return
    isOpen = false
    socket.close()
    server.close()
  }
  t.teardown(close)
  return { address: `127.0.0.1:${port}`, asked, close }
}

export function responseTo(query: DecodedPacket, changes: Packet): Buffer {
  return encode({ type: 'response', id: query.id ?? 0, questions: query.questions ?? [], ...changes })
}
