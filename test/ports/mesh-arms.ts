import { join } from 'node:path'
import { createSimMesh, type SimMesh } from '../../sim/ports/mesh.ts'
import { SimNetwork } from '../../sim/ports/network.ts'
import { createSimSigner, readSimCertificate, readSimKey } from '../../sim/ports/signer.ts'
import type { SimSocket } from '../../sim/ports/socket.ts'
import type { Device, MeshEvent, MeshOutcome, MeshRequest, Random } from '../../src/kernel/ports.ts'
import { assert, isRefused, type Result } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { authority, type CertificateKit, certificateKit, crossSigned, dialPlain, newKey, Rig } from '../net/mesh/kit.ts'

/** One end of an application's connection. */
export type End = {
  received(): string
  isEnded(): boolean
  closed(): 'ended' | 'reset' | undefined
  send(text: string): void
  end(): void
  reset(): void
}

/** One adapter of the port with its surroundings. All addresses are 127.0.0.1. */
export type Arm = {
  readonly name: string
  readonly device: Device<MeshRequest, MeshOutcome, MeshEvent>
  readonly certificates: CertificateKit
  nowMs(): number
  /** An application; the ends it accepted so far. */
  application(): Promise<{ port: number; ends: End[]; close(): void }>
  /** At a port, or at a path. */
  dial(at: number | string): Promise<End>
  /** A path where a socket can be. */
  path(name: string): string
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
  const folder = temporaryDirectory()
  return {
    name: 'sockets',
    device: rig.mesh,
    nowMs: Date.now,
    certificates: { newKey, authority, crossSigned },
    async application() {
      const { application, port } = await rig.application()
      return { port, ends: application.ends, close: () => application.close() }
    },
    dial: (at) => dialPlain(at, rig.lookout),
    path: (name) => join(folder, name),
    changed: rig.lookout.changed,
    until: (look) => rig.lookout.until(look),
    end: () => rig.end(),
  }
}

const NODE = 'here'
const EPOCH_MS = Date.UTC(2030, 0, 1)

function simArm(): Arm {
  const clock = steppingClock()
  const network = new SimNetwork({ nowMs: clock.nowMs, after: clock.after, random: () => countingRandom() })
  network.addNode(NODE, '10.0.0.1')
  const wallMs = () => EPOCH_MS + clock.nowMs()
  const mesh: SimMesh = createSimMesh({ network, node: NODE, wallMs, readCertificate: readSimCertificate, readKey: readSimKey })
  return {
    name: 'simulated',
    device: mesh,
    nowMs: wallMs,
    certificates: certificateKit(createSimSigner({ random: countingRandom() }), wallMs),
    application() {
      const ends: End[] = []
      const bound = network.listen(NODE, '127.0.0.1', 0, (socket) => ends.push(simEnd(socket)))
      assert(!isRefused(bound), 'the application opens a port')
      return Promise.resolve({ port: bound.port, ends, close: bound.close })
    },
    path: (name) => `/run/${name}`,
    async dial(at) {
      const outcomes: Result<SimSocket>[] = []
      const to = typeof at === 'string' ? { host: '', port: 0, socketPath: at } : { host: '127.0.0.1', port: at }
      network.dial(NODE, to, (result) => outcomes.push(result))
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

/** No chance at all, but every id is another. */
function countingRandom(): Random {
  let count = 0
  return {
    next: () => 0.5,
    int: (from, to) => Math.floor((from + to) / 2),
    uuid: () => `00000000-0000-4000-8000-${String(count++).padStart(12, '0')}`,
  }
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
