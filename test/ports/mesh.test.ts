import test from 'ava'
import type { MeshEvent, MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Result } from '../../src/kernel/refusal.ts'
import { serviceId, type TestAuthority } from '../net/mesh/kit.ts'
import { type Arm, arms, type End } from './mesh-arms.ts'

const LOCAL = '127.0.0.1'
type Did = MeshEvent['did']
type EventOf<Name extends Did> = Extract<MeshEvent, { did: Name }>
type Destination = Omit<Extract<MeshRequest, { do: 'connect' }>, 'do' | 'connection'>

/** An arm with what its device reported. */
class Bench {
  readonly arm: Arm
  readonly events: MeshEvent[] = []

  constructor(arm: Arm) {
    this.arm = arm
  }

  async ask(request: MeshRequest, decide?: (event: MeshEvent) => MeshRequest | undefined): Promise<Result<MeshOutcome>> {
    const outcomes: Result<MeshOutcome>[] = []
    this.begin(request, decide, (outcome) => outcomes.push(outcome))
    return this.arm.until(() => outcomes[0])
  }

  begin(request: MeshRequest, decide?: (event: MeshEvent) => MeshRequest | undefined, done?: (outcome: Result<MeshOutcome>) => void): void {
    this.arm.device.perform(
      request,
      (outcome) => {
        done?.(outcome)
        this.arm.changed()
      },
      (event) => {
        this.events.push(event)
        const decision = decide?.(event)
        if (decision !== undefined) this.begin(decision)
        this.arm.changed()
      },
    )
  }

  async listen(
    owner: string,
    side: 'public' | 'upstream',
    to?: Partial<Destination>,
    connectionsMax = 0,
  ): Promise<{ listener: number; port: number }> {
    const request = { do: 'listen', owner, side, address: LOCAL, port: 0, handshakeMs: 2_000, connectionsMax } as const
    const outcome = await this.ask(request, (event) => {
      if (event.did !== 'accepted' || to === undefined) return undefined
      return { do: 'connect', connection: event.connection, host: LOCAL, port: 0, withinMs: 5_000, ...to }
    })
    assert(!isRefused(outcome), 'the listener opens')
    return { listener: outcome.listener ?? 0, port: outcome.port ?? 0 }
  }

  async identify(owner: string, by: TestAuthority, uri = serviceId(owner)): Promise<void> {
    assert(!isRefused(await this.ask({ do: 'identify', owner, ...by.issue(uri) })), 'the material is taken')
  }

  async pair(roots = this.arm.certificates.authority()) {
    const application = await this.arm.application()
    await this.identify('web', roots)
    await this.identify('db', roots)
    const far = await this.listen('db', 'public', { port: application.port })
    const near = await this.listen('web', 'upstream', { port: far.port, identity: serviceId('db') })
    return { application, upstreamPort: near.port, publicPort: far.port }
  }

  event<Name extends Did>(did: Name, fits: (event: EventOf<Name>) => boolean = () => true): Promise<EventOf<Name>> {
    return this.arm.until(() => this.all(did).find(fits))
  }

  all<Name extends Did>(did: Name): EventOf<Name>[] {
    return this.events.filter((event): event is EventOf<Name> => event.did === did)
  }

  async exchange(near: End, ends: End[], position = 0): Promise<End> {
    near.send('ping')
    const far = await this.arm.until(() => ends[position])
    await this.arm.until(() => far.received() === 'ping')
    far.send('pong')
    await this.arm.until(() => near.received() === 'pong')
    return far
  }
}

for (const { name, make } of arms) {
  const on = (what: string, run: (t: import('ava').ExecutionContext, bench: Bench) => Promise<void>) =>
    test(`${name}: ${what}`, async (t) => {
      const arm = make()
      t.teardown(() => arm.end())
      await run(t, new Bench(arm))
    })

  on('both ends of a mutual TLS connection are known, and the bytes are counted', async (t, bench) => {
    const { application, upstreamPort } = await bench.pair()
    const near = await bench.arm.dial(upstreamPort)
    const far = await bench.exchange(near, application.ends)
    near.end()
    await bench.arm.until(() => far.isEnded())
    far.send(' and more')
    await bench.arm.until(() => near.received() === 'pong and more')
    far.end()
    await bench.arm.until(() => near.closed() && bench.all('closed').length === 2)
    t.is(near.closed(), 'ended')
    t.is(far.closed(), 'ended')
    t.deepEqual(
      bench
        .all('accepted')
        .map(({ peer }) => peer?.uri)
        .sort(),
      [serviceId('web'), undefined],
    )
    t.deepEqual(
      bench
        .all('connected')
        .map(({ peer }) => peer?.uri)
        .sort(),
      [serviceId('db'), undefined],
    )
    for (const { why, receivedBytes, sentBytes } of bench.all('closed')) {
      t.deepEqual({ why, receivedBytes, sentBytes }, { why: 'finished by both ends', receivedBytes: 4, sentBytes: 13 })
    }
  })

  on('bytes sent before a destination is known arrive', async (t, bench) => {
    const application = await bench.arm.application()
    const { port, listener } = await bench.listen('web', 'upstream')
    const near = await bench.arm.dial(port)
    near.send('early')
    near.end()
    const accepted = await bench.event('accepted')
    t.is(accepted.listener, listener)
    t.deepEqual(
      await bench.ask({ do: 'connect', connection: accepted.connection, host: LOCAL, port: application.port, withinMs: 1_000 }),
      {},
    )
    const far = await bench.arm.until(() => application.ends[0])
    await bench.arm.until(() => far.isEnded())
    t.is(far.received(), 'early')
  })

  for (const who of ['caller', 'destination'] as const) {
    on(`a reset by the ${who} is passed on`, async (t, bench) => {
      const { application, upstreamPort } = await bench.pair()
      const near = await bench.arm.dial(upstreamPort)
      const far = await bench.exchange(near, application.ends)
      const [one, other] = who === 'caller' ? [near, far] : [far, near]
      one.reset()
      await bench.arm.until(() => other.closed() && bench.all('closed').length === 2)
      t.is(other.closed(), 'reset')
      t.deepEqual(new Set(bench.all('closed').map(({ why }) => why)), new Set([`reset by the ${who}`]))
    })
  }

  on('a request closes both legs, with its reason, once', async (t, bench) => {
    const { application, upstreamPort } = await bench.pair()
    const near = await bench.arm.dial(upstreamPort)
    const far = await bench.exchange(near, application.ends)
    const { connection } = await bench.event('accepted', ({ peer }) => peer !== undefined)
    t.deepEqual(await bench.ask({ do: 'close', connection, why: 'denied' }), {})
    await bench.arm.until(() => near.closed() && far.closed() && bench.all('closed').length === 2)
    t.is((await bench.event('closed', (event) => event.connection === connection)).why, 'denied')
    t.like(await bench.ask({ do: 'close', connection, why: 'again' }), { refused: 'gone', why: `connection ${connection} has ended` })
    t.like(await bench.ask({ do: 'close', connection: 999, why: '' }), { refused: 'missing' })
    t.is(bench.all('closed').length, 2)
  })

  on('a waiting connection can be closed without ever being connected', async (t, bench) => {
    const { port } = await bench.listen('web', 'upstream')
    const near = await bench.arm.dial(port)
    const { connection } = await bench.event('accepted')
    t.deepEqual(await bench.ask({ do: 'close', connection, why: 'no instance' }), {})
    await bench.arm.until(() => near.closed())
    t.like(await bench.event('closed'), { connection, why: 'no instance', receivedBytes: 0, sentBytes: 0 })
  })

  on('a refused dial leaves the caller open for another try', async (t, bench) => {
    const gone = await bench.arm.application()
    gone.close()
    const { port } = await bench.listen('web', 'upstream', { port: gone.port })
    const near = await bench.arm.dial(port)
    near.send('patience')
    const { connection, why } = await bench.event('dial-failed')
    t.is(why, `dial tcp 127.0.0.1:${gone.port}: connect: connection refused`)
    const application = await bench.arm.application()
    const retry = { do: 'connect', connection, host: LOCAL, port: application.port, withinMs: 1_000 } as const
    bench.begin(retry)
    t.like(await bench.ask(retry), { refused: 'conflict' })
    const far = await bench.arm.until(() => application.ends[0])
    await bench.arm.until(() => far.received() === 'patience')
    t.like(await bench.ask(retry), { refused: 'conflict', why: `connection ${connection} is already connected` })
  })

  on('a dial that fails after there is newer material is tried again with that', async (t, bench) => {
    const far = await bench.arm.application()
    const roots = bench.arm.certificates.authority()
    await bench.identify('web', roots)
    const { port } = await bench.listen('web', 'upstream', { port: far.port, identity: serviceId('db') })
    await bench.arm.dial(port)
    const first = await bench.arm.until(() => far.ends[0])
    await bench.identify('web', roots)
    first.reset()
    const second = await bench.arm.until(() => far.ends[1])
    t.deepEqual(bench.all('dial-failed'), [])
    second.reset()
    t.regex((await bench.event('dial-failed')).why, new RegExp(`^dial tcp 127.0.0.1:${far.port}: `))
    t.is(far.ends.length, 2)
  })

  on('a destination that never shakes hands is given up after withinMs', async (t, bench) => {
    const mute = await bench.arm.application()
    await bench.identify('web', bench.arm.certificates.authority())
    const { port } = await bench.listen('web', 'upstream', { port: mute.port, identity: serviceId('db'), withinMs: 150 })
    await bench.arm.dial(port)
    t.is((await bench.event('dial-failed')).why, `dial tcp 127.0.0.1:${mute.port}: i/o timeout`)
  })

  on('a caller that never shakes hands, or speaks no TLS, is reported', async (t, bench) => {
    await bench.identify('db', bench.arm.certificates.authority())
    const { port, listener } = await bench.listen('db', 'public')
    await bench.arm.dial(port)
    t.like(await bench.event('handshake-failed'), { listener, why: 'the TLS handshake took too long' })
    const plain = await bench.arm.dial(port)
    plain.send('\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007')
    await bench.event('handshake-failed', ({ why }) => why === 'not a TLS handshake')
    t.is(bench.all('handshake-failed').length, 2)
  })

  on('without an identity nobody is accepted and nobody is dialled', async (t, bench) => {
    const { port: publicPort } = await bench.listen('db', 'public')
    const early = await bench.arm.dial(publicPort)
    t.is((await bench.event('handshake-failed')).why, 'this sidecar has no certificate yet')
    await bench.arm.until(() => early.closed())
    const { port } = await bench.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
    await bench.arm.dial(port)
    t.is((await bench.event('dial-failed')).why, `dial tcp 127.0.0.1:${publicPort}: this sidecar has no certificate yet`)
  })

  on('a destination that is somebody else, or of an unknown CA, is not talked to', async (t, bench) => {
    const roots = bench.arm.certificates.authority()
    await bench.identify('web', roots)
    await bench.identify('db', roots, serviceId('cache'))
    const { port: publicPort } = await bench.listen('db', 'public', { port: 1 })
    const { port } = await bench.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
    await bench.arm.dial(port)
    const expected = `the certificate is for ${serviceId('cache')}, expected ${serviceId('db')}`
    const first = await bench.event('dial-failed')
    t.true(first.why.startsWith(`dial tcp 127.0.0.1:${publicPort}: ${expected} (serial `), first.why)
    await bench.identify('db', bench.arm.certificates.authority())
    await bench.arm.dial(port)
    await bench.event('dial-failed', ({ why }) => why.includes('unknown CA'))
    t.deepEqual(bench.all('connected'), [])
  })

  on('a caller with an expired certificate is refused, with its serial', async (t, bench) => {
    const roots = bench.arm.certificates.authority()
    await bench.identify('db', roots)
    const expired = roots.issue(serviceId('web'), { notBeforeMs: bench.arm.nowMs() - 7_200_000, notAfterMs: bench.arm.nowMs() - 3_600_000 })
    await bench.ask({ do: 'identify', owner: 'web', ...expired })
    const { port: publicPort } = await bench.listen('db', 'public')
    const { port } = await bench.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
    await bench.arm.dial(port)
    const { why, serial } = await bench.event('handshake-failed')
    t.is(why, 'the certificate has expired')
    t.truthy(serial)
    // With TLS alone a caller believes that it got through until it is cut off.
    await bench.arm.until(() => bench.all('closed')[0] ?? bench.all('dial-failed')[0])
    t.deepEqual(
      bench.all('accepted').filter(({ peer }) => peer),
      [],
    )
  })

  on('new material counts for later handshakes and leaves open connections alone', async (t, bench) => {
    const old = bench.arm.certificates.authority()
    const young = bench.arm.certificates.authority()
    const { application, upstreamPort } = await bench.pair(old)
    const standing = await bench.arm.dial(upstreamPort)
    const far = await bench.exchange(standing, application.ends)
    const issued = young.issue(serviceId('db'))
    // web knows only the old root: the cross-signed intermediate leads there.
    const chained = {
      ...issued,
      certPem: issued.certPem + bench.arm.certificates.crossSigned(young, old),
      rootsPem: [...issued.rootsPem, old.certPem],
    }
    t.deepEqual(await bench.ask({ do: 'identify', owner: 'db', ...chained }), {})
    await bench.exchange(await bench.arm.dial(upstreamPort), application.ends, 1)
    await bench.ask({ do: 'identify', owner: 'db', ...issued })
    await bench.arm.dial(upstreamPort)
    await bench.event('dial-failed', ({ why }) => why.includes('unknown CA'))
    standing.send(' still')
    await bench.arm.until(() => far.received() === 'ping still')
    t.deepEqual(bench.all('closed'), [])
  })

  on('above connectionsMax callers are closed and reported', async (t, bench) => {
    const application = await bench.arm.application()
    const { port, listener } = await bench.listen('web', 'upstream', { port: application.port }, 1)
    const first = await bench.arm.dial(port)
    await bench.exchange(first, application.ends)
    const surplus = await bench.arm.dial(port)
    t.like(await bench.event('handshake-failed'), { listener, why: 'too many connections: 1 are open, which is the limit' })
    await bench.arm.until(() => surplus.isEnded() || surplus.closed())
    first.reset()
    await bench.event('closed')
    await bench.exchange(await bench.arm.dial(port), application.ends, 1)
  })

  on('limits change while it listens: what is open stays, even above them', async (t, bench) => {
    const { application, upstreamPort } = await bench.pair()
    const first = await bench.arm.dial(upstreamPort)
    const far = await bench.exchange(first, application.ends)
    const { listener } = await bench.event('accepted', ({ peer }) => peer !== undefined)
    t.deepEqual(await bench.ask({ do: 'limit', listener, handshakeMs: 2_000, connectionsMax: 1 }), {})
    await bench.arm.dial(upstreamPort)
    await bench.event('dial-failed')
    t.like(await bench.event('handshake-failed'), { listener, why: 'too many connections: 1 are open, which is the limit' })
    first.send(' on')
    await bench.arm.until(() => far.received() === 'ping on')
    t.deepEqual(await bench.ask({ do: 'limit', listener, handshakeMs: 2_000, connectionsMax: 0 }), {})
    await bench.exchange(await bench.arm.dial(upstreamPort), application.ends, 1)
    t.like(await bench.ask({ do: 'limit', listener: 99, handshakeMs: 1, connectionsMax: 0 }), { refused: 'missing' })
    t.like(await bench.ask({ do: 'limit', listener, handshakeMs: 1, connectionsMax: 0, perSecondMax: 0 }), {
      refused: 'invalid',
      why: 'perSecondMax: must be a whole number above 0, got 0',
    })
  })

  on('no more come in a second than may', async (t, bench) => {
    const { application, upstreamPort } = await bench.pair()
    await bench.exchange(await bench.arm.dial(upstreamPort), application.ends)
    const { listener } = await bench.event('accepted', ({ peer }) => peer !== undefined)
    await bench.ask({ do: 'limit', listener, handshakeMs: 2_000, connectionsMax: 0, perSecondMax: 1 })
    for (let count = 0; count < 20; count++) void bench.arm.dial(upstreamPort)
    t.is((await bench.event('handshake-failed')).why, 'too many connections: 1 came within a second, which is the limit')
    await bench.event('dial-failed')
  })

  on('a listener on a path takes connections, and leaves the path when it is closed', async (t, bench) => {
    const socketPath = bench.arm.path('upstream.sock')
    const path = { do: 'listen', owner: 'web', side: 'upstream', address: '', port: 0, socketPath } as const
    const listen = async () => {
      const application = await bench.arm.application()
      const outcome = await bench.ask({ ...path, socketMode: 0o600, handshakeMs: 1_000, connectionsMax: 0 }, (event) => {
        if (event.did !== 'accepted') return undefined
        return { do: 'connect', connection: event.connection, host: LOCAL, port: application.port, withinMs: 5_000 }
      })
      return { application, outcome }
    }
    const first = await listen()
    assert(!isRefused(first.outcome), 'the path is free')
    const near = await bench.arm.dial(socketPath)
    const far = await bench.exchange(near, first.application.ends)
    t.like(await bench.event('accepted'), { from: '' })
    t.deepEqual((await listen()).outcome, { refused: 'conflict', why: `listen unix ${socketPath}: bind: address already in use` })
    t.deepEqual(await bench.ask({ do: 'unlisten', listener: first.outcome.listener ?? 0 }), {})
    far.send(' on')
    await bench.arm.until(() => near.received() === 'pong on')
    const second = await listen()
    t.false(isRefused(second.outcome))
    await bench.exchange(await bench.arm.dial(socketPath), second.application.ends)
  })

  on('a greeting comes before everything else and is not counted', async (t, bench) => {
    const application = await bench.arm.application()
    const greeting = Uint8Array.from(Buffer.from('hello '))
    const { port } = await bench.listen('web', 'upstream', { port: application.port, greeting })
    const near = await bench.arm.dial(port)
    near.send('you')
    const far = await bench.arm.until(() => application.ends[0])
    await bench.arm.until(() => far.received() === 'hello you')
    near.end()
    far.end()
    t.like(await bench.event('closed'), { receivedBytes: 3, sentBytes: 0 })
  })

  on('what connections carry is told while they are open, once', async (t, bench) => {
    const { application, upstreamPort } = await bench.pair()
    t.deepEqual(await bench.ask({ do: 'traffic', owner: 'web' }), { traffic: [] })
    await bench.exchange(await bench.arm.dial(upstreamPort), application.ends)
    const { connection } = await bench.event('accepted', ({ peer }) => peer === undefined)
    t.deepEqual(await bench.ask({ do: 'traffic', owner: 'web' }), { traffic: [{ connection, receivedBytes: 4, sentBytes: 4 }] })
    t.deepEqual(await bench.ask({ do: 'traffic', owner: 'web' }), { traffic: [] })
    t.deepEqual(await bench.ask({ do: 'traffic', owner: 'nobody' }), { traffic: [] })
  })

  on('whoever is accepted came in somewhere, and its handshake took a while', async (t, bench) => {
    const { application, upstreamPort, publicPort } = await bench.pair()
    await bench.exchange(await bench.arm.dial(upstreamPort), application.ends)
    const { to, handshakeMs } = await bench.event('accepted', ({ peer }) => peer !== undefined)
    t.regex(to ?? '', new RegExp(`:${publicPort}$`))
    t.true((handshakeMs ?? -1) >= 0)
    t.true(((await bench.event('connected', ({ peer }) => peer !== undefined)).tookMs ?? -1) >= 0)
  })

  on('a port in use is a conflict; a closed listener frees it and keeps its connections', async (t, bench) => {
    const application = await bench.arm.application()
    const { port, listener } = await bench.listen('web', 'upstream', { port: application.port })
    const again = { do: 'listen', owner: 'other', side: 'upstream', address: LOCAL, port, handshakeMs: 1_000, connectionsMax: 0 } as const
    t.deepEqual(await bench.ask(again), { refused: 'conflict', why: `listen tcp 127.0.0.1:${port}: bind: address already in use` })
    const near = await bench.arm.dial(port)
    const far = await bench.exchange(near, application.ends)
    t.deepEqual(await bench.ask({ do: 'unlisten', listener }), {})
    t.like(await bench.ask({ do: 'unlisten', listener }), { refused: 'missing' })
    t.like(await bench.ask(again), { port })
    near.send(' on')
    await bench.arm.until(() => far.received() === 'ping on')
  })

  on('a forgotten owner loses listeners, connections and keys', async (t, bench) => {
    const { application, upstreamPort, publicPort } = await bench.pair()
    const near = await bench.arm.dial(upstreamPort)
    const far = await bench.exchange(near, application.ends)
    t.deepEqual(await bench.ask({ do: 'forget', owner: 'db' }), {})
    await bench.arm.until(() => near.closed() && far.closed())
    await bench.event('closed', ({ why }) => why === 'the sidecar was removed')
    t.is((await bench.arm.dial(publicPort)).closed(), 'reset')
    t.like(await bench.ask({ do: 'forget', owner: 'db' }), { refused: 'missing' })
  })

  on('bad requests are refused with the field and the reason', async (t, bench) => {
    const listen = { do: 'listen', owner: 'web', side: 'upstream', address: LOCAL, port: 0, handshakeMs: 1, connectionsMax: 0 } as const
    t.like(await bench.ask({ ...listen, port: -1 }), { refused: 'invalid', why: 'port: must be a whole number from 0 to 65535, got -1' })
    t.like(await bench.ask({ ...listen, handshakeMs: Number.NaN }), { refused: 'invalid', why: 'handshakeMs: must be above 0, got NaN' })
    t.like(await bench.ask({ ...listen, connectionsMax: 0.5 }), {
      refused: 'invalid',
      why: 'connectionsMax: must be a whole number, got 0.5',
    })
    t.like(await bench.ask({ ...listen, address: '192.0.2.1', port: 4_000 }), {
      refused: 'invalid',
      why: 'listen tcp 192.0.2.1:4000: bind: cannot assign requested address',
    })
    const material = bench.arm.certificates.authority().issue(serviceId('web'))
    const noRoots = await bench.ask({ do: 'identify', owner: 'web', ...material, rootsPem: [] })
    t.deepEqual(noRoots, { refused: 'invalid', why: 'rootsPem: at least one root certificate is required' })
    const noCertificate = await bench.ask({ do: 'identify', owner: 'web', ...material, certPem: 'x' })
    t.regex('why' in noCertificate ? noCertificate.why : '', /^certPem: not a PEM certificate/)
  })
}
