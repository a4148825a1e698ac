import { type ConnectInstance, feedsRef } from '../../actors/feeds/protocol.ts'
import type { IntentionAction } from '../../actors/intentions/tables.ts'
import { leafRef } from '../../actors/leaf/protocol.ts'
import { proxy } from '../../actors/proxy/index.ts'
import type { ProxyArgs } from '../../actors/proxy/protocol.ts'
import type { MeshEvent, MeshRequest } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { tryActor } from './try-actor.ts'

/** The sidecar of `db`, which reaches `cache`. */
export const ARGS: ProxyArgs = {
  service: 'db',
  datacenter: 'dc1',
  token: '',
  feeds: feedsRef,
  leaf: leafRef,
  inbound: {
    address: '0.0.0.0',
    port: 20_000,
    handshakeMs: 10_000,
    localHost: '127.0.0.1',
    localPort: 5_432,
    localSocketPath: '',
    connectWithinMs: 1_000,
  },
  upstreams: [{ service: 'cache', address: '127.0.0.1', port: 9_191, connectWithinMs: 5_000 }],
  supervised: false,
}
export const BUNDLE = {
  trustDomain: 'td.consul',
  activeRootId: 'r',
  signingKeyId: 'k',
  keyType: 'ec',
  keyBits: 256,
  rootIds: ['r'],
  rootsPem: ['root'],
  rootNames: ['pri'],
}
export const LEAF = {
  service: 'db',
  certPem: 'cert',
  keyPem: 'key',
  serial: '0a',
  uri: '',
  signingKeyId: 'k',
  validAfterMs: 0,
  validBeforeMs: 9,
  issuedMs: 0,
  renewAtMs: 7,
  renewalWhy: '',
  index: 10,
}
export const WEB = { uri: 'spiffe://td.consul/ns/default/dc/dc1/svc/web', serial: '0f' }

export const instance = (id: string): ConnectInstance => ({
  node: 'n1',
  id,
  address: `10.0.0.${id}`,
  port: 21_000,
  service: 'cache',
  datacenter: 'dc1',
  weight: 1,
})
export const rule = (source: string, action: IntentionAction) => ({ id: '', source, destination: 'db', action })
export const doing = (what: MeshRequest['do']) => (request: never) => (request as MeshRequest).do === what
export const from = (side: 'public' | 'upstream') => (request: never) => {
  const asked = request as MeshRequest
  return asked.do === 'listen' && asked.side === side
}

export function tryProxy(args: Partial<ProxyArgs> = {}) {
  const a = tryActor(proxy, { args: { ...ARGS, ...args }, key: 'db-1' })
  const event = (side: 'public' | 'upstream', what: MeshEvent) => a.event('mesh', what, from(side))
  return {
    a,
    event,
    /** Everything it needs, so that it listens. */
    ready(list: ReturnType<typeof rule>[] = []) {
      a.outcome('mesh', refuse('missing', ''), doing('forget'))
      a.outcome('mesh', { listener: 1, port: 9_191 }, from('upstream'))
      a.value('leaf', LEAF, 10)
      a.value('roots', BUNDLE)
      a.outcome('mesh', {}, doing('identify'))
      a.value('intentions', { list, defaultAllow: true }, 5)
      a.outcome('mesh', { listener: 2, port: 20_000 }, from('public'))
      a.effects()
    },
    accept: (connection: number, peer = WEB) => event('public', { did: 'accepted', listener: 2, connection, from: '10.0.0.7:4000', peer }),
    mesh: () => a.effects().flatMap((effect) => (effect.did === 'act' ? [effect.request as MeshRequest] : [])),
  }
}
