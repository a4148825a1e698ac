import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import test from 'ava'
import { openTcpSink, openUdpSink } from '../../net/metrics-sinks.ts'
import { until } from '../kit/running.ts'

const unexpected = (why: string) => {
  throw new Error(why)
}

test('packets hold whole lines and are no longer than networks carry', async (t) => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const packets: string[] = []
  socket.on('message', (message) => packets.push(message.toString()))
  const sink = openUdpSink(`127.0.0.1:${socket.address().port}`, unexpected)
  t.teardown(() => sink.close())
  const lines = Array.from({ length: 200 }, (_, at) => `consul.metric.${at}:${at}|g`)
  sink.send(lines)
  await until(
    'all packets',
    () => packets.join(''),
    (text) => text === `${lines.join('\n')}\n`,
  )
  t.true(packets.every((packet) => packet.length <= 1_400 && packet.endsWith('|g\n')))
})

test('a connection that was lost is opened again by what is sent next, and one that cannot be opened says why', async (t) => {
  const server = createServer()
  const sockets: Socket[] = []
  let said = ''
  server.on('connection', (socket) => {
    sockets.push(socket)
    socket.on('data', (data) => (said += data))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const failures: string[] = []
  const sink = openTcpSink(`127.0.0.1:${(server.address() as AddressInfo).port}`, (why) => failures.push(why))
  t.teardown(() => sink.close())
  sink.send([])
  sink.send(['a:1|g', 'b:2|c'])
  await until(
    'the first lines',
    () => said,
    (text) => text === 'a:1|g\nb:2|c\n',
  )
  sockets[0]?.destroy()
  const sent = () => {
    sink.send(['c:3|g'])
    return said
  }
  await until('lines on another connection', sent, (text) => text.endsWith('c:3|g\n'))
  t.is(sockets.length, 2)
  server.close()
  for (const socket of sockets) socket.destroy()
  const refused = () => {
    sink.send(['d:4|g'])
    return failures
  }
  await until('a failure', refused, (all) => all.some((why) => why.includes('ECONNREFUSED')))
})
