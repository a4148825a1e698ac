import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'
import { authority, dialPlain, newKey, Rig, serviceId } from './kit.ts'

test('a port in use is a conflict that names address and port', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { port } = await rig.application()
  const request = { do: 'listen', owner: 'web', side: 'upstream', address: '127.0.0.1', handshakeMs: 1_000, connectionsMax: 0 } as const
  t.deepEqual(await rig.ask({ ...request, port }), {
    refused: 'conflict',
    why: `listen tcp 127.0.0.1:${port}: bind: address already in use`,
  })
  t.deepEqual(await rig.ask({ ...request, address: '192.0.2.1', port: 4000 }), {
    refused: 'invalid',
    why: 'listen tcp 192.0.2.1:4000: bind: cannot assign requested address',
  })
})

test('bad requests name field and reason', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const listen = {
    do: 'listen',
    owner: 'web',
    side: 'upstream',
    address: '127.0.0.1',
    port: 0,
    handshakeMs: 1_000,
    connectionsMax: 0,
  } as const
  t.like(await rig.ask({ ...listen, port: 70_000 }), { refused: 'invalid', why: 'port: must be a whole number from 0 to 65535, got 70000' })
  t.like(await rig.ask({ ...listen, handshakeMs: 0 }), { refused: 'invalid', why: 'handshakeMs: must be above 0, got 0' })
  t.like(await rig.ask({ ...listen, connectionsMax: -1 }), { refused: 'invalid', why: 'connectionsMax: must be a whole number, got -1' })
  const connect = { do: 'connect', connection: 1, host: '127.0.0.1', port: 1, withinMs: 100 } as const
  t.like(await rig.ask(connect), { refused: 'missing', why: 'there is no connection 1' })
  t.like(await rig.ask({ ...connect, port: 0 }), { refused: 'invalid', why: 'port: must be a whole number from 1 to 65535, got 0' })
  t.like(await rig.ask({ ...connect, host: '' }), { refused: 'invalid', why: 'host: must not be empty' })
  t.like(await rig.ask({ do: 'close', connection: 9, why: '' }), { refused: 'missing' })
  t.like(await rig.ask({ do: 'unlisten', listener: 9 }), { refused: 'missing', why: 'there is no listener 9' })
  t.like(await rig.ask({ do: 'forget', owner: 'nobody' }), { refused: 'missing', why: 'there is no owner "nobody"' })
})

test('material that cannot be used is refused with its field, and the old stays in use', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const roots = authority()
  const { application, upstreamPort } = await rig.pair(roots)
  const good = roots.issue(serviceId('web'))
  const refusals: [Partial<typeof good>, RegExp][] = [
    [{ certPem: 'garbage' }, /^certPem: not a PEM certificate/],
    [{ keyPem: 'garbage' }, /^keyPem: not a PEM private key/],
    [{ keyPem: newKey().keyPem }, /^keyPem: the private key does not belong to the certificate/],
    [{ rootsPem: [] }, /^rootsPem: at least one root certificate is required/],
    [{ rootsPem: [roots.certPem, '?'] }, /^rootsPem\[1\]: not a PEM certificate/],
  ]
  for (const [change, why] of refusals) {
    const outcome = await rig.ask({ do: 'identify', owner: 'web', ...good, ...change })
    t.like(outcome, { refused: 'invalid' })
    t.regex('why' in outcome ? outcome.why : '', why)
  }
  const end = await dialPlain(upstreamPort, rig.lookout)
  end.send('x')
  const far = await application.next()
  await rig.lookout.until(() => far.received() === 'x')
  t.pass()
})

test('above connectionsMax a new connection is closed at once and reported', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, port } = await rig.application()
  const { port: upstreamPort, listener } = await rig.listen('web', 'upstream', { port }, { connectionsMax: 2 })
  const first = await dialPlain(upstreamPort, rig.lookout)
  await dialPlain(upstreamPort, rig.lookout)
  await application.next(1)
  const surplus = await dialPlain(upstreamPort, rig.lookout)
  const failed = await rig.event('handshake-failed')
  t.like(failed, { listener, why: 'too many connections: 2 are open, which is the limit' })
  await rig.lookout.until(() => surplus.isEnded() || surplus.closed())
  first.reset()
  await rig.event('closed')
  const next = await dialPlain(upstreamPort, rig.lookout)
  next.send('room again')
  const far = await application.next(2)
  await rig.lookout.until(() => far.received() === 'room again')
})

test('a destination on a socket path', async (t) => {
  const rig = new Rig()
  const directory = temporaryDirectory(t)
  t.teardown(() => rig.end())
  const socketPath = join(directory, 'app.sock')
  const { application } = await rig.application(socketPath)
  const { port } = await rig.listen('web', 'upstream', { socketPath })
  const end = await dialPlain(port, rig.lookout)
  end.send('question')
  const far = await application.next()
  await rig.lookout.until(() => far.received() === 'question')
  far.send('answer')
  await rig.lookout.until(() => end.received() === 'answer')
  const { port: elsewhere } = await rig.listen('web', 'upstream', { socketPath: join(directory, 'nobody') })
  await dialPlain(elsewhere, rig.lookout)
  const { why } = await rig.event('dial-failed')
  t.is(why, `dial unix ${join(directory, 'nobody')}: connect: no such file or directory`)
})

test('after a refused dial the caller waits for another try, and is told when it leaves', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, port } = await rig.application()
  application.close()
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port })
  const end = await dialPlain(upstreamPort, rig.lookout)
  end.send('patience')
  const { connection, why } = await rig.event('dial-failed')
  t.is(why, `dial tcp 127.0.0.1:${port}: connect: connection refused`)
  const { application: other, port: otherPort } = await rig.application()
  const retry = { do: 'connect', connection, host: '127.0.0.1', port: otherPort, withinMs: 5_000 } as const
  const [taken, again] = await Promise.all([rig.ask(retry), rig.ask(retry)])
  t.deepEqual(taken, {})
  t.like(again, { refused: 'conflict', why: `connection ${connection} is already being connected` })
  const far = await other.next()
  await rig.lookout.until(() => far.received() === 'patience')
  t.like(await rig.ask(retry), { refused: 'conflict', why: `connection ${connection} is already connected` })
})

test('closing a listener leaves its connections open, and its port is free', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, port } = await rig.application()
  const { port: upstreamPort, listener } = await rig.listen('web', 'upstream', { port })
  const end = await dialPlain(upstreamPort, rig.lookout)
  const far = await application.next()
  t.deepEqual(await rig.ask({ do: 'unlisten', listener }), {})
  const { port: same } = await rig.listen('other', 'upstream', undefined, { port: upstreamPort })
  t.is(same, upstreamPort)
  end.send('still here')
  await rig.lookout.until(() => far.received() === 'still here')
})

test('forgetting an owner ends what it has and nothing else', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort, publicPort } = await rig.pair()
  const { application: other, port: otherPort } = await rig.application()
  const { port: otherUpstream } = await rig.listen('cache', 'upstream', { port: otherPort })
  const bystander = await dialPlain(otherUpstream, rig.lookout)
  const end = await dialPlain(upstreamPort, rig.lookout)
  end.send('x')
  const far = await application.next()
  await rig.lookout.until(() => far.received() === 'x')
  t.deepEqual(await rig.ask({ do: 'forget', owner: 'db' }), {})
  await rig.lookout.until(() => far.closed() && end.closed())
  await rig.event('closed', ({ why }) => why === 'the sidecar was removed')
  const late = await dialPlain(publicPort, rig.lookout)
  t.is(late.closed(), 'reset')
  bystander.send('untouched')
  const farBystander = await other.next()
  await rig.lookout.until(() => farBystander.received() === 'untouched')
})

test('closing the device ends everything and reports it before it resolves', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const ends = await Promise.all([1, 2, 3].map(() => dialPlain(upstreamPort, rig.lookout)))
  for (const end of ends) end.send('x')
  await application.next(2)
  await rig.lookout.until(() => rig.eventsOf('connected').length === 6)
  await rig.mesh.close()
  t.is(rig.eventsOf('closed').length, 6)
  t.is(new Set(rig.eventsOf('closed').map(({ connection }) => connection)).size, 6)
})

test('a thousand idle connections are held through both sidecars, and one of them still answers', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const { application, upstreamPort } = await rig.pair()
  const count = 1_000
  const batch = 50
  const ends = []
  while (ends.length < count) {
    ends.push(...(await Promise.all(Array.from({ length: batch }, () => dialPlain(upstreamPort, rig.lookout)))))
    await rig.lookout.until(() => application.ends.length === ends.length)
  }
  const last = ends[ends.length - 1]
  last?.send('are you there?')
  const far = await rig.lookout.until(() => application.ends.find((end) => end.received() === 'are you there?'))
  far.send('yes')
  await rig.lookout.until(() => last?.received() === 'yes')
  t.deepEqual(rig.eventsOf('closed'), [])
})

test('a path that a process left behind when it was killed is taken over, with its mode', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const socketPath = join(temporaryDirectory(t), 'left.sock')
  const program = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`
  t.is(spawnSync(process.execPath, ['-e', program]).signal, 'SIGKILL')
  t.true(statSync(socketPath).isSocket())
  const listen = { do: 'listen', owner: 'web', side: 'upstream', address: '', port: 0, handshakeMs: 1_000, connectionsMax: 0 } as const
  t.like(await rig.ask({ ...listen, socketPath, socketMode: 0o620 }), { listener: 1 })
  t.is(statSync(socketPath).mode & 0o777, 0o620)
  const nowhere = join(socketPath, 'no', 'such.sock')
  t.like(await rig.ask({ ...listen, socketPath: nowhere }), { refused: 'invalid' })
})
