import { Carrier } from './carrier.ts'
import { type Dialled, discard, targetOf } from './dialer.ts'
import { PROTOCOL } from './frames.ts'
import { SocketLeg } from './socket-leg.ts'
import type { Identity } from './tls.ts'
import { dialTls, type Manner, type MeshDestination, type Secured, SessionCache } from './tls-dialer.ts'

/** Which destinations speak `tribune/1`, as far as is known. Bounded: what was learned first goes first. */
export class Speakers {
  readonly #known = new Map<string, { manner: Manner; untilMs: number }>()

  mannerOf(address: string): Manner {
    const known = this.#known.get(address)
    return known === undefined || known.untilMs < performance.now() ? 'learn' : known.manner
  }

  learn(address: string, manner: 'alone' | 'share'): void {
    this.#known.delete(address)
    this.#known.set(address, { manner, untilMs: performance.now() + KNOWN_MS })
    if (this.#known.size <= KNOWN_MAX) return
    const oldest = this.#known.keys().next()
    if (!oldest.done) this.#known.delete(oldest.value)
  }
}

const KNOWN_MAX = 4_096
const KNOWN_MS = 600_000

/** One dial that all wait for who want to go to the same place. */
type Dial = { readonly waiting: Set<Waiting>; giveUp: () => void }
/** `again`: look anew what is there by now. */
type Waiting = (outcome: Dialled | 'again') => void

/** What one identity has open to other sidecars. New TLS material means a new one of these. */
export class Carriers {
  readonly #identity: Identity
  readonly #speakers: Speakers
  readonly #idleMs: number
  readonly #sessions = new SessionCache()
  readonly #carriers = new Map<string, Carrier[]>()
  readonly #dials = new Map<string, Dial>()
  #isRetired = false

  constructor(identity: Identity, speakers: Speakers, idleMs: number) {
    this.#identity = identity
    this.#speakers = speakers
    this.#idleMs = idleMs
  }

  /**
   * Reaches a destination: over a TLS connection that is there, a new one to share, or one alone if the other side knows no
   * sharing. `settled` is called once, later. The answer gives up.
   */
  dial(to: MeshDestination, settled: (outcome: Dialled) => void): () => void {
    const key = keyOf(to)
    const target = targetOf(to)
    let tries = 0
    let silence: NodeJS.Timeout | undefined
    let giveUp: () => void = () => undefined
    const attempt = () => {
      const carrier = this.#carrierFor(key)
      if (carrier === undefined) {
        giveUp = this.#join(to, (outcome) => (outcome === 'again' ? attempt() : settled(outcome)))
        return
      }
      const { peer } = carrier
      const stop = carrier.open((opening) => {
        clearTimeout(silence)
        if ('carried' in opening) return settled({ leg: opening.carried, peer: { uri: peer.uri, serial: peer.serial } })
        if ('full' in opening) return settled({ why: `dial ${target}: it takes no more connections` })
        tries += 1
        if (opening.again && tries < TRIES_MAX) attempt()
        else settled({ why: `dial ${target}: ${opening.why}` })
      })
      // What is in between may have forgotten the TLS connection, or the other side may be gone.
      silence = setTimeout(() => {
        stop()
        carrier.retire()
        attempt()
      }, SILENT_MS_MAX)
      giveUp = () => {
        clearTimeout(silence)
        stop()
      }
    }
    attempt()
    return () => giveUp()
  }

  /** Every later dial shakes hands anew, elsewhere. What is open stays. */
  retire(): void {
    this.#isRetired = true
    for (const carrier of [...this.#carriers.values()].flat()) carrier.retire()
  }

  /** The fullest one that has room: what leaves together costs least, and those that are not needed end. */
  #carrierFor(key: string): Carrier | undefined {
    let best: Carrier | undefined
    for (const carrier of [...(this.#carriers.get(key) ?? [])]) {
      if (carrier.takesMore() && carrier.size < STREAMS_USUAL && carrier.size >= (best?.size ?? 0)) best = carrier
    }
    return best
  }

  #join(to: MeshDestination, waiting: Waiting): () => void {
    const manner = this.#speakers.mannerOf(addressKey(to))
    if (manner === 'alone') {
      return dialTls(to, manner, this.#identity, this.#sessions, (outcome) => waiting('why' in outcome ? outcome : aloneOn(outcome)))
    }
    const key = keyOf(to)
    const dial = this.#dials.get(key) ?? this.#begin(to, manner)
    dial.waiting.add(waiting)
    return () => {
      dial.waiting.delete(waiting)
      if (dial.waiting.size > 0 || this.#dials.get(key) !== dial) return
      this.#dials.delete(key)
      dial.giveUp()
    }
  }

  #begin(to: MeshDestination, manner: 'learn' | 'share'): Dial {
    const key = keyOf(to)
    const dial: Dial = { waiting: new Set(), giveUp: () => undefined }
    this.#dials.set(key, dial)
    const tellAll = (outcome: Dialled | 'again') => {
      for (const waiting of [...dial.waiting]) waiting(outcome)
    }
    dial.giveUp = dialTls(to, manner, this.#identity, this.#sessions, (outcome) => {
      this.#dials.delete(key)
      if ('why' in outcome) {
        if (outcome.noProtocol) this.#speakers.learn(addressKey(to), 'alone')
        return tellAll(outcome.noProtocol ? 'again' : outcome)
      }
      const { stream, tcp, peer, reader } = outcome
      if (stream.alpnProtocol === PROTOCOL) {
        this.#speakers.learn(addressKey(to), 'share')
        if (manner === 'learn') {
          // One that is known to be shared is made in a way that suits it, which costs the first connection a handshake more.
          new Carrier({ stream, peer, idleMs: this.#idleMs, ended: () => undefined, ...(tcp && { tcp }) }).retire()
          return tellAll('again')
        }
        const carrier = new Carrier({
          stream,
          peer,
          idleMs: this.#idleMs,
          ended: () => this.#drop(key, carrier),
          ...(reader && { reader }),
        })
        this.#carriers.set(key, [...(this.#carriers.get(key) ?? []), carrier])
        tellAll('again')
        if (this.#isRetired) carrier.retire()
        return
      }
      this.#speakers.learn(addressKey(to), 'alone')
      const [first] = dial.waiting
      if (manner === 'share' || first === undefined) discard(stream)
      else {
        dial.waiting.delete(first)
        first(aloneOn(outcome))
      }
      tellAll('again')
    })
    return dial
  }

  #drop(key: string, carrier: Carrier): void {
    const left = (this.#carriers.get(key) ?? []).filter((other) => other !== carrier)
    if (left.length > 0) this.#carriers.set(key, left)
    else this.#carriers.delete(key)
  }
}

function aloneOn({ stream, tcp, peer }: Secured): Dialled {
  return { leg: new SocketLeg({ stream, tcp: tcp ?? stream }), peer: { uri: peer.uri, serial: peer.serial } }
}

/** On one TLS connection, while there is no other. */
const STREAMS_USUAL = 256
const TRIES_MAX = 3
/** How long a new connection on a TLS connection that is there may go unanswered, before another one is made. */
const SILENT_MS_MAX = 1_000

function keyOf({ host, port, identity }: MeshDestination): string {
  return `${host} ${port} ${identity}`
}

function addressKey({ host, port }: MeshDestination): string {
  return `${host} ${port}`
}
