import type { Rule } from '../../actors/intentions/decide.ts'
import type { Leaf } from '../../actors/leaf/protocol.ts'
import type { Devices, MeshPeer } from '../../src/kernel/ports.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

export const denyLeavesOpen: Mutant = mutant({
  name: 'deny-leaves-open',
  about: 'an intention that denies does not close connections that are open',
  caughtBy: 'denied-is-denied',
  runsMax: 40,
  mutations: { wrapMesh: deafToClose },
})

export const deniedGetsIn: Mutant = mutant({
  name: 'denied-gets-in',
  about: 'a sidecar says that it refuses a connection, and connects it',
  caughtBy: 'denied-carries-nothing',
  nodes: 1,
  runsMax: 40,
  mutations: { wrapMesh: connectsDenied },
})

export const wildcardWins: Mutant = mutant({
  name: 'wildcard-wins',
  about: 'a sidecar lets a rule that allows any source decide before a rule for the very source',
  caughtBy: 'denied-is-denied',
  runsMax: 60,
  mutations: wrapHandler('proxy', 'intentions', (handler) => (state, request, turn, from) => {
    const { intentions, index } = request as { intentions: { list: Rule[] }; index: number }
    const wildcards = intentions.list.filter(({ source, action }) => source === '*' && action === 'allow')
    const list = wildcards.length > 0 ? wildcards : intentions.list
    return handler(state, { intentions: { ...intentions, list }, index }, turn, from)
  }),
})

export const newDeniesUnheard: Mutant = mutant({
  name: 'new-denies-unheard',
  about: 'a sidecar knows only the denies that it heard of first',
  caughtBy: 'denied-is-denied',
  runsMax: 40,
  mutations: wrapHandler('proxy', 'intentions', (handler) => (state, request, turn, from) => {
    const known = (state as { intentions: { list: Rule[] } | undefined }).intentions?.list
    const { intentions, index } = request as { intentions: { list: Rule[] }; index: number }
    const isHeard = ({ action, source }: Rule) => action === 'allow' || !known || known.some((rule) => rule.source === source)
    return handler(state, { intentions: { ...intentions, list: intentions.list.filter(isHeard) }, index }, turn, from)
  }),
})

export const firstPeerForAll: Mutant = mutant({
  name: 'first-peer-for-all',
  about: 'a sidecar takes everybody for the first service that ever connected',
  caughtBy: 'denied-is-denied',
  nodes: 3,
  runsMax: 60,
  mutations: { wrapMesh: firstPeer },
})

export const wrongInstances: Mutant = mutant({
  name: 'wrong-instances',
  about: 'a sidecar is told the instances of another service than it asked for',
  caughtBy: 'identities-are-true',
  runsMax: 5,
  mutations: wrapHandler('feeds', 'instances', (handler) => (state, request, turn, from) => {
    const { service } = request as { service: string }
    return handler(state, { service: service === 'db' ? 'web' : service }, turn, from)
  }),
})

export const leafNeverRenewed: Mutant = mutant({
  name: 'leaf-never-renewed',
  about: 'nobody looks whether a certificate is due',
  caughtBy: 'leaves-are-fresh',
  scenario: 'weeks',
  nodes: 1,
  runsMax: 2,
  mutations: wrapHandler('leaf', 'look', () => () => undefined),
})

export const leafRenewedLate: Mutant = mutant({
  name: 'leaf-renewed-late',
  about: 'certificates are renewed at 95 % of their life',
  caughtBy: 'leaves-are-fresh',
  scenario: 'weeks',
  nodes: 1,
  runsMax: 2,
  mutations: wrapHandler('leaf', 'signed', (handler) => (state, request, turn, from) => {
    const answer = handler(state, request, turn, from)
    const { entries } = state as { entries: Map<string, { renewAtMs: number; leaf: Leaf | undefined }> }
    const entry = entries.get((request as { service: string }).service)
    if (entry?.leaf) entry.renewAtMs = entry.leaf.issuedMs + 0.95 * (entry.leaf.validBeforeMs - entry.leaf.issuedMs)
    return answer
  }),
})

const DENIED = /intention|denied|deny/i

/** Refused connections reach the program of db, which listens where the standard configuration says, for a moment. */
function connectsDenied(mesh: Devices['mesh']): Devices['mesh'] {
  return {
    perform(request, done, event) {
      if (request.do !== 'close' || !DENIED.test(request.why)) return mesh.perform(request, done, event)
      const { connection } = request
      const close = () => mesh.perform(request, ignore, ignore)
      mesh.perform({ do: 'connect', connection, host: '127.0.0.1', port: 8081, withinMs: 1_000 }, () => done({}), ignore)
      // Each outcome comes a little later than the one before.
      let moments = 3
      const wait = () => (moments-- === 0 ? close() : mesh.perform({ do: 'unlisten', listener: 0 }, wait, ignore))
      wait()
    },
  }
}

function ignore(): void {
  // Nobody is to hear of it.
}

function deafToClose(mesh: Devices['mesh']): Devices['mesh'] {
  return {
    perform(request, done, event) {
      if (request.do === 'close' && DENIED.test(request.why)) done({})
      else mesh.perform(request, done, event)
    },
  }
}

function firstPeer(mesh: Devices['mesh']): Devices['mesh'] {
  let first: MeshPeer | undefined
  return {
    perform(request, done, event) {
      mesh.perform(request, done, (happened) => {
        if (happened.did !== 'accepted' || !happened.peer) return event(happened)
        first ??= happened.peer
        event({ ...happened, peer: first })
      })
    },
  }
}
