import { createSecureContext, type SecureContext } from 'node:tls'
import { parseIdentity } from '../../../actors/spiffe.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { TLS_RULES } from '../../tls-rules.ts'
import { ClientError } from '../errors.ts'
import { indexed, reads } from '../reads.ts'
import type { CaRoots, ConnectLeaf } from '../shapes.ts'
import type { Transport } from '../transport.ts'
import type { Log } from './events.ts'
import { keepFollowing } from './keep.ts'

/** What a service proves itself with, and whom it believes. PEM. */
export type Material = {
  /** The leaf, and the certificates that lead from it to its root. */
  readonly cert: string
  readonly key: string
  /** Every trusted root. */
  readonly ca: readonly string[]
  /** The same by their IDs, and the index of the list. */
  readonly rootIds: readonly string[]
  readonly rootsIndex: number
  readonly context: SecureContext
  readonly uri: string
  /** In lower case. */
  readonly trustDomain: string
  readonly datacenter: string
  readonly serial: string
  readonly validFrom: Date
  readonly validUntil: Date
}

export type Identity = {
  /** Resolves once there is material; rejects if the agent refuses to give it. */
  readonly ready: Promise<void>
  /** The newest. Throws before there is any. */
  material(): Material
  /** Calls for each newer material. The answer ends it. */
  onRenewed(renewed: (material: Material) => void): () => void
  /** Resolves when nothing is asked any more after the signal came. */
  readonly ended: Promise<unknown>
}

/** Follows the leaf of a service and the roots of the mesh. */
export function followIdentity(transport: Transport, service: string, signal: AbortSignal, log: Log): Identity {
  let leaf: ConnectLeaf | undefined
  let roots: IndexedRoots | undefined
  let material: Material | undefined
  const told = new Set<(material: Material) => void>()
  const renew = () => {
    if (leaf === undefined || roots === undefined) return
    const isFirst = material === undefined
    const renewed = materialOf(leaf, roots)
    material = renewed
    for (const tell of told) tell(renewed)
    if (!isFirst) log({ did: 'renewed', serial: renewed.serial, validUntil: renewed.validUntil, activeRootId: roots.value.ActiveRootID })
  }
  const following = {
    leaf: keepFollowing(transport, reads.leaf(service), {
      signal,
      failed: (error) => log({ did: 'failed', what: 'leaf', error }),
      took(value) {
        leaf = value
        renew()
      },
    }),
    roots: keepFollowing(transport, indexed(reads.roots()), {
      signal,
      failed: (error) => log({ did: 'failed', what: 'roots', error }),
      took(value) {
        roots = value
        renew()
      },
    }),
  }
  return {
    ready: Promise.all([following.leaf.first, following.roots.first]).then(() => undefined),
    ended: Promise.all([following.leaf.ended, following.roots.ended]),
    material() {
      if (material === undefined) throw new ClientError(`${service} has no certificate yet`)
      return material
    },
    onRenewed(renewed) {
      told.add(renewed)
      return () => told.delete(renewed)
    },
  }
}

type IndexedRoots = { index: number; value: CaRoots }

function materialOf(leaf: ConnectLeaf, { index, value: roots }: IndexedRoots): Material {
  const identity = parseIdentity(leaf.ServiceURI)
  if (isRefused(identity) || identity.kind !== 'service') throw new ClientError(`${leaf.ServiceURI} is not the identity of a service`)
  const ca = roots.Roots.map(({ RootCert }) => RootCert)
  return {
    cert: leaf.CertPEM,
    key: leaf.PrivateKeyPEM,
    ca,
    rootIds: roots.Roots.map(({ ID }) => ID),
    rootsIndex: index,
    context: createSecureContext({ cert: leaf.CertPEM, key: leaf.PrivateKeyPEM, ca, ...TLS_RULES }),
    uri: leaf.ServiceURI,
    trustDomain: roots.TrustDomain.toLowerCase(),
    datacenter: identity.datacenter,
    serial: leaf.SerialNumber,
    validFrom: new Date(leaf.ValidAfter),
    validUntil: new Date(leaf.ValidBefore),
  }
}

export const TLS_MIN = 'TLSv1.2'
