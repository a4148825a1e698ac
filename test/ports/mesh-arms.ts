import { createSimMesh, type SimMesh } from '../../sim/ports/mesh.ts'
import type { CertificateFacts } from '../../sim/ports/mesh-identity.ts'
import { SimNetwork } from '../../sim/ports/network.ts'
import type { SimSocket } from '../../sim/ports/socket.ts'
import type { Device, MeshEvent, MeshOutcome, MeshRequest, Random } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { authority, crossSigned, dialPlain, type Material, Rig, TRUST_DOMAIN, type Validity } from '../net/mesh/kit.ts'

/** One end of an application's connection. */
export type End = {
  received(): string
  isEnded(): boolean
  closed(): 'ended' | 'reset' | undefined
  send(text: string): void
  end(): void
  reset(): void
}

export type ArmAuthority = {
  issue(uri: string, validity?: Validity): Material
  /** An intermediate: what `this` issues is believed by whoever knows `old`. */
  crossSignedBy(old: ArmAuthority): string
}

/** One adapter of the port with its surroundings. All addresses are 127.0.0.1. */
export type Arm = {
  readonly name: string
  readonly device: Device<MeshRequest, MeshOutcome, MeshEvent>
  authority(trustDomain?: string): ArmAuthority
  nowMs(): number
  /** An application; the ends it accepted so far. */
  application(): Promise<{ port: number; ends: End[]; close(): void }>
  dial(port: number): Promise<End>
  /** Tells whoever waits in `until` to look again. */
  changed(): void
  /** Waits, or lets simulated time pass, until there is something. */
  until<Found>(look: () => Found | undefined | false): Promise<Found>
  end(): Promise<void>
}

export const arms: { name: string; make(): Arm }[] = [
  { name: 'sockets', make: realArm },
  { name: 'simulated', make: simArm },
]

function realArm(): Arm {
  const rig = new Rig()
  const known = new Map<ArmAuthority, ReturnType<typeof authority>>()
  return {
    name: 'sockets',
    device: rig.mesh,
    nowMs: Date.now,
    authority(trustDomain) {
      const real = authority(trustDomain)
      const made: ArmAuthority = { issue: real.issue, crossSignedBy: (old) => crossSigned(real, known.get(old)!) }
      known.set(made, real)
      return made
    },
    async application() {
      const { application, port } = await rig.application()
      return { port, ends: application.ends, close: () => application.close() }
    },
    dial: (port) => dialPlain(port, rig.lookout),
    changed: rig.lookout.changed,
    until: (look) => rig.lookout.until(look),
    end: () => rig.end(),
  }
}

const NODE = 'here'
const EPOCH_MS = Date.UTC(2030, 0, 1)
const HOUR_MS = 3_600_000

function simArm(): Arm {
  const clock = steppingClock()
  const network = new SimNetwork({ nowMs: clock.nowMs, after: clock.after, random: () => evenRandom })
  network.addNode(NODE, '10.0.0.1')
  const wallMs = () => EPOCH_MS + clock.nowMs()
  const mesh: SimMesh = createSimMesh({ network, node: NODE, wallMs, readCertificate: readFake })
  const roots = new Map<ArmAuthority, CertificateFacts>()
  let serial = 1
  return {
    name: 'simulated',
    device: mesh,
    nowMs: wallMs,
    authority(trustDomain = TRUST_DOMAIN) {
      const keyId = `key ${serial}`
      const root: CertificateFacts = {
        uris: [`spiffe://${trustDomain}`],
        serial: String(serial++),
        isCa: true,
        keyId,
        authorityKeyId: keyId,
      }
      const made: ArmAuthority = {
        issue(uri, { notBeforeMs = wallMs() - HOUR_MS, notAfterMs = wallMs() + HOUR_MS } = {}) {
          const leaf: CertificateFacts = { uris: [uri], serial: String(serial++), authorityKeyId: keyId, notBeforeMs, notAfterMs }
          return { certPem: fakePem(leaf), keyPem: 'key', rootsPem: [fakePem(root)] }
        },
        crossSignedBy: (old) => fakePem({ ...root, authorityKeyId: roots.get(old)?.keyId ?? '' }),
      }
      roots.set(made, root)
      return made
    },
    application() {
      const ends: End[] = []
      const bound = network.listen(NODE, '127.0.0.1', 0, (socket) => ends.push(simEnd(socket)))
      assert(!isRefused(bound), 'the application opens a port')
      return Promise.resolve({ port: bound.port, ends, close: bound.close })
    },
    async dial(port) {
      const outcomes: Result<SimSocket>[] = []
      network.dial(NODE, { host: '127.0.0.1', port }, (result) => outcomes.push(result))
      const outcome = await clock.until(() => outcomes[0])
      return isRefused(outcome) ? NOBODY : simEnd(outcome)
    },
    changed: () => undefined,
    until: clock.until,
    end() {
      mesh.close()
      clock.run()
      return Promise.resolve()
    },
  }
}

/** What a refused dial leaves behind. */
const NOBODY: End = {
  received: () => '',
  isEnded: () => false,
  closed: () => 'reset',
  send: () => undefined,
  end: () => undefined,
  reset: () => undefined,
}

function simEnd(socket: SimSocket): End {
  let received = ''
  let isEnded = false
  let closed: 'ended' | 'reset' | undefined
  socket.handlers = {
    data: (bytes) => {
      received += Buffer.from(bytes).toString('utf8')
    },
    end: () => {
      isEnded = true
    },
    closed: (how) => {
      closed = how === 'ended' ? 'ended' : 'reset'
    },
  }
  socket.resume()
  return {
    received: () => received,
    isEnded: () => isEnded,
    closed: () => closed,
    send: (text) => socket.write(Buffer.from(text)),
    end: () => socket.end(),
    reset: () => socket.reset(),
  }
}

const evenRandom: Random = {
  next: () => 0.5,
  int: (from, to) => Math.floor((from + to) / 2),
  uuid: () => '00000000-0000-4000-8000-000000000000',
}

function fakePem(facts: CertificateFacts): string {
  return `-----BEGIN CERTIFICATE-----\n${Buffer.from(JSON.stringify(facts)).toString('base64')}\n-----END CERTIFICATE-----\n`
}

function readFake(certPem: string): Result<CertificateFacts> {
  const body = /-----BEGIN CERTIFICATE-----([^-]*)-----END/.exec(certPem)?.[1]
  return body === undefined
    ? refuse('invalid', 'no PEM block')
    : (JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as CertificateFacts)
}

/** Simulated time that moves from one thing that is due to the next. */
export function steppingClock() {
  let nowMs = 0
  let order = 0
  const waiting: { atMs: number; order: number; work: () => void }[] = []
  const step = (): boolean => {
    const next = waiting.shift()
    if (next === undefined) return false
    nowMs = next.atMs
    next.work()
    return true
  }
  return {
    nowMs: () => nowMs,
    after(ms: number, work: () => void) {
      waiting.push({ atMs: nowMs + ms, order: order++, work })
      waiting.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
    },
    run(untilMs = Number.POSITIVE_INFINITY) {
      while (waiting[0] !== undefined && waiting[0].atMs <= untilMs) step()
      if (untilMs !== Number.POSITIVE_INFINITY) nowMs = untilMs
    },
    until<Found>(look: () => Found | undefined | false): Promise<Found> {
      let found = look()
      while (found === undefined || found === false) {
        if (!step()) return Promise.reject(new Error('nothing is left to happen, and what was waited for did not'))
        found = look()
      }
      return Promise.resolve(found)
    },
  }
}
