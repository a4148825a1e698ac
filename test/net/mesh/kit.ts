import { connect, createServer, type Server, type Socket } from 'node:net'
import { createMesh, type MeshDevice } from '../../../net/mesh/index.ts'
import { createSigner } from '../../../net/signer.ts'
import type { Device, MeshEvent, MeshOutcome, MeshRequest, SignerOutcome, SignerRequest } from '../../../src/kernel/ports.ts'
import { assert, isRefused, type Result } from '../../../src/kernel/refusal.ts'

/** What a sidecar proves itself with. */
export type Material = { certPem: string; keyPem: string; rootsPem: string[] }
export type Validity = { notBeforeMs?: number; notAfterMs?: number }
export type TestAuthority = { certPem: string; keyPem: string; issue(uri: string, validity?: Validity): Material }

const HOUR_MS = 3_600_000
export const TRUST_DOMAIN = '11111111-2222-3333-4444-555555555555.consul'

export function serviceId(service: string, trustDomain = TRUST_DOMAIN): string {
  return `spiffe://${trustDomain}/ns/default/dc/dc1/svc/${service}`
}

export type CertificateKit = {
  newKey(request?: { commonName: string; uri: string }): { keyPem: string; csrPem: string }
  /** A certificate authority that issues leaves at once. */
  authority(trustDomain?: string): TestAuthority
  /** `old` signs `young`'s root, so that whoever knows only `old` believes what `young` issues. */
  crossSigned(young: TestAuthority, old: TestAuthority): string
}

/** Certificates by any signer that answers at once. */
export function certificateKit(signer: Device<SignerRequest, SignerOutcome>, nowMs: () => number): CertificateKit {
  let serial = 1
  const sign = (request: SignerRequest): SignerOutcome => {
    const outcomes: Result<SignerOutcome>[] = []
    signer.perform(
      request,
      (outcome) => outcomes.push(outcome),
      () => undefined,
    )
    const outcome = outcomes[0]
    assert(outcome !== undefined && !isRefused(outcome), `the signer does ${request.do}: ${JSON.stringify(outcome)}`)
    return outcome
  }
  const hours = (from: number, to: number) => ({ notBeforeMs: nowMs() + from * HOUR_MS, notAfterMs: nowMs() + to * HOUR_MS })
  const newKey: CertificateKit['newKey'] = (request) => {
    const { keyPem = '', csrPem = '' } = sign({ do: 'key', type: 'ec', bits: 256, ...(request === undefined ? {} : { request }) })
    return { keyPem, csrPem }
  }
  return {
    newKey,
    authority(trustDomain = TRUST_DOMAIN) {
      const { keyPem } = newKey()
      const uri = `spiffe://${trustDomain}`
      const { certPem = '' } = sign({ do: 'root', keyPem, commonName: 'test root', uri, serial: serial++, ...hours(-1_000, 1_000) })
      return {
        certPem,
        keyPem,
        issue(leafUri, validity = {}) {
          const commonName = 'a.service'
          const leaf = newKey({ commonName, uri: leafUri })
          const asked = { csrPem: leaf.csrPem, by: { certPem, keyPem }, commonName, uri: leafUri, serial: serial++ }
          const signed = sign({ do: 'leaf', ...asked, ...hours(-1, 1), ...validity })
          return { certPem: signed.certPem ?? '', keyPem: leaf.keyPem, rootsPem: [certPem] }
        },
      }
    },
    crossSigned: (young, old) =>
      sign({ do: 'cross-sign', certPem: young.certPem, by: old, serial: serial++, ...hours(-1, 1) }).certPem ?? '',
  }
}

export const { newKey, authority, crossSigned } = certificateKit(createSigner(), Date.now)

/** Lets a test wait for a condition: `until` looks again whenever somebody calls `changed`. */
export class Lookout {
  /** Destroyed when the test is over. */
  readonly sockets: Socket[] = []
  #waiting: (() => boolean)[] = []

  readonly changed = (): void => {
    this.#waiting = this.#waiting.filter((look) => !look())
  }

  until<Found>(look: () => Found | undefined | false): Promise<Found> {
    return new Promise((resolve) => {
      const attempt = () => {
        const found = look()
        if (found === undefined || found === false) return false
        resolve(found)
        return true
      }
      if (!attempt()) this.#waiting.push(attempt)
    })
  }
}

/** One end of a plain connection as a test plays it. */
export type End = {
  readonly socket: Socket
  readonly received: () => string
  readonly receivedBytes: () => number
  /** The other side sends no more. */
  readonly isEnded: () => boolean
  /** How it came to its end, once it has. */
  readonly closed: () => 'ended' | 'reset' | undefined
  send(text: string): void
  end(): void
  reset(): void
}

export function endOf(socket: Socket, lookout: Lookout): End {
  const chunks: Buffer[] = []
  let receivedBytes = 0
  let isEnded = false
  let closed: 'ended' | 'reset' | undefined
  let failed = false
  socket.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length
    if (receivedBytes < KEPT_BYTES_MAX) chunks.push(chunk)
    lookout.changed()
  })
  socket.on('end', () => {
    isEnded = true
    lookout.changed()
  })
  socket.on('error', () => {
    failed = true
  })
  socket.on('close', () => {
    closed = failed || !isEnded ? 'reset' : 'ended'
    lookout.changed()
  })
  return {
    socket,
    received: () => Buffer.concat(chunks).toString('utf8'),
    receivedBytes: () => receivedBytes,
    isEnded: () => isEnded,
    closed: () => closed,
    send: (text) => void socket.write(text),
    end: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
  }
}

const KEPT_BYTES_MAX = 1_000_000

/** An application on 127.0.0.1 that a test plays by hand. */
export class Application {
  readonly ends: End[] = []
  readonly #lookout: Lookout
  readonly #server: Server

  constructor(lookout: Lookout) {
    this.#lookout = lookout
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.ends.push(endOf(socket, lookout))
      lookout.changed()
    })
  }

  async listen(at: number | string = 0): Promise<number> {
    await new Promise<void>((resolve) => {
      if (typeof at === 'string') this.#server.listen(at, resolve)
      else this.#server.listen(at, '127.0.0.1', resolve)
    })
    const bound = this.#server.address()
    return typeof bound === 'object' && bound !== null ? bound.port : 0
  }

  /** The end of the connection with this position, as soon as there is one. */
  next(position = 0): Promise<End> {
    return this.#lookout.until(() => this.ends[position])
  }

  close(): void {
    this.#server.close()
    for (const { socket } of this.ends) socket.destroy()
  }
}

/** At a port, or at a path. */
export async function dialPlain(at: number | string, lookout: Lookout): Promise<End> {
  const place = typeof at === 'string' ? { path: at } : { port: at, host: '127.0.0.1', noDelay: true }
  const socket = connect({ ...place, allowHalfOpen: true })
  lookout.sockets.push(socket)
  const end = endOf(socket, lookout)
  socket.once('connect', lookout.changed)
  await lookout.until(() => !socket.connecting || end.closed())
  return end
}

/** A mesh with everything it reported, and an answer for every accepted connection. */
export class Rig {
  readonly lookout = new Lookout()
  readonly mesh: MeshDevice = createMesh()
  readonly events: MeshEvent[] = []
  readonly #applications: Application[] = []

  ask(request: MeshRequest, decide?: (event: MeshEvent) => MeshRequest | undefined): Promise<Result<MeshOutcome>> {
    return new Promise((resolve) => {
      this.mesh.perform(request, resolve, (event) => {
        this.events.push(event)
        const decision = decide?.(event)
        if (decision !== undefined) void this.ask(decision)
        this.lookout.changed()
      })
    })
  }

  async identify(owner: string, material: Material): Promise<void> {
    const outcome = await this.ask({ do: 'identify', owner, ...material })
    assert(!isRefused(outcome), `material is taken: ${JSON.stringify(outcome)}`)
  }

  /** A listener whose connections are all dialled on to `to`, or left waiting. The answer is its number and port. */
  async listen(
    owner: string,
    side: 'public' | 'upstream',
    to: { host?: string; port?: number; socketPath?: string; identity?: string; withinMs?: number } | undefined,
    limits: { handshakeMs?: number; connectionsMax?: number; port?: number } = {},
  ): Promise<{ listener: number; port: number }> {
    const { handshakeMs = 10_000, connectionsMax = 0, port = 0 } = limits
    const outcome = await this.ask({ do: 'listen', owner, side, address: '127.0.0.1', port, handshakeMs, connectionsMax }, (event) => {
      if (event.did !== 'accepted' || to === undefined) return undefined
      return { do: 'connect', connection: event.connection, host: '127.0.0.1', port: 0, withinMs: 5_000, ...to }
    })
    assert(!isRefused(outcome), `the listener opens: ${JSON.stringify(outcome)}`)
    return { listener: outcome.listener ?? 0, port: outcome.port ?? 0 }
  }

  async application(at: number | string = 0): Promise<{ application: Application; port: number }> {
    const application = new Application(this.lookout)
    this.#applications.push(application)
    return { application, port: await application.listen(at) }
  }

  /** web's upstream listener → mutual TLS → db's public listener → an application. */
  async pair(roots = authority()): Promise<{ application: Application; upstreamPort: number; publicPort: number }> {
    const { application, port } = await this.application()
    await this.identify('web', roots.issue(serviceId('web')))
    await this.identify('db', roots.issue(serviceId('db')))
    const { port: publicPort } = await this.listen('db', 'public', { port })
    const { port: upstreamPort } = await this.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
    return { application, upstreamPort, publicPort }
  }

  /** The first event of this kind that fits, as soon as there is one. */
  event<Did extends MeshEvent['did']>(
    did: Did,
    fits: (event: Extract<MeshEvent, { did: Did }>) => boolean = () => true,
  ): Promise<Extract<MeshEvent, { did: Did }>> {
    return this.lookout.until(() => this.eventsOf(did).find(fits))
  }

  eventsOf<Did extends MeshEvent['did']>(did: Did): Extract<MeshEvent, { did: Did }>[] {
    return this.events.filter((event): event is Extract<MeshEvent, { did: Did }> => event.did === did)
  }

  async end(): Promise<void> {
    for (const socket of this.lookout.sockets) socket.destroy()
    for (const application of this.#applications) application.close()
    await this.mesh.close()
  }
}
