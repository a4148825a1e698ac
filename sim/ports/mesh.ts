import type { Device, MeshEvent, MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { connectProblem, limitsProblem, listenProblem } from '../../src/mesh-faults.ts'
import { SimConnections, type SimOpenConnection } from './mesh-connections.ts'
import {
  type CertificateFacts,
  type CertificateReader,
  type KeyReader,
  readSimIdentity,
  type SimHandshake,
  type SimIdentity,
} from './mesh-identity.ts'
import { SimListener } from './mesh-listener.ts'
import type { SimNetwork } from './network.ts'

export type SimMeshOptions = {
  network: SimNetwork
  /** The machine it runs on; known to the network. */
  node: string
  /** The machine's belief of the time, in ms since 1970: certificates are judged by it. */
  wallMs(): number
  /** The facts of one PEM certificate as the simulated signer makes them. */
  readCertificate: CertificateReader
  readKey: KeyReader
  /** One side of a handshake has judged the other. */
  judged?(handshake: SimHandshake): void
}

export type SimMesh = Device<MeshRequest, MeshOutcome, MeshEvent> & {
  /** Accepted connections, for invariants. */
  open(): SimOpenConnection[]
  /** How many there are. */
  readonly size: number
  /** The leaf that each owner shows at present, for invariants. */
  leaves(): { owner: string; leaf: CertificateFacts }[]
  /** Ends every listener and connection. `closed` events follow. */
  close(): void
}

type Owner = { identity: SimIdentity | undefined; readonly listeners: Map<number, SimListener> }

/** The data plane of one machine on a simulated network, with the events of the real one. */
export function createSimMesh({ network, node, wallMs, readCertificate, readKey, judged = ignored }: SimMeshOptions): SimMesh {
  const owners = new Map<string, Owner>()
  const listenerOwners = new Map<number, string>()
  const connections = new SimConnections({ network, node, wallMs, judged })
  let lastListener = 0

  const ownerOf = (name: string): Owner => {
    const known = owners.get(name)
    if (known !== undefined) return known
    const owner: Owner = { identity: undefined, listeners: new Map() }
    owners.set(name, owner)
    return owner
  }

  const listen = (request: Extract<MeshRequest, { do: 'listen' }>, event: (event: MeshEvent) => void): Result<MeshOutcome> => {
    const bad = listenProblem(request)
    if (bad !== undefined) return refuse('invalid', bad)
    const number = lastListener + 1
    const owner = ownerOf(request.owner)
    const listener = new SimListener({
      ...request,
      network,
      listener: number,
      identity: () => owner.identity,
      wallMs,
      event,
      judged: (handshake) => judged({ owner: request.owner, ...handshake }),
      arrived: (arrived) => connections.accept({ owner: request.owner, listener: number, event, ...arrived }),
    })
    const bound = listener.open(node)
    if (isRefused(bound)) return bound
    lastListener = number
    owner.listeners.set(number, listener)
    listenerOwners.set(number, request.owner)
    return { listener: number, port: bound.port }
  }

  const limit = (request: Extract<MeshRequest, { do: 'limit' }>): Result<MeshOutcome> => {
    const bad = limitsProblem(request)
    if (bad !== undefined) return refuse('invalid', bad)
    const listener = owners.get(listenerOwners.get(request.listener) ?? '')?.listeners.get(request.listener)
    if (listener === undefined) return refuse('missing', `there is no listener ${request.listener}`)
    listener.limit(request)
    return {}
  }

  const unlisten = (number: number): Result<MeshOutcome> => {
    const owner = owners.get(listenerOwners.get(number) ?? '')
    const listener = owner?.listeners.get(number)
    if (owner === undefined || listener === undefined) return refuse('missing', `there is no listener ${number}`)
    listener.close('the listener was closed')
    owner.listeners.delete(number)
    listenerOwners.delete(number)
    return {}
  }

  const identify = ({ owner, certPem, keyPem, rootsPem }: Extract<MeshRequest, { do: 'identify' }>): Result<MeshOutcome> => {
    const identity = readSimIdentity(certPem, keyPem, rootsPem, { read: readCertificate, readKey })
    if (isRefused(identity)) return identity
    ownerOf(owner).identity = identity
    return {}
  }

  const connect = (request: Extract<MeshRequest, { do: 'connect' }>): Result<MeshOutcome> => {
    const bad = connectProblem(request)
    if (bad !== undefined) return refuse('invalid', bad)
    return connections.connect(request.connection, request, (owner) => owners.get(owner)?.identity)
  }

  const forget = (name: string, why: string): Result<MeshOutcome> => {
    const owner = owners.get(name)
    if (owner === undefined) return refuse('missing', `there is no owner "${name}"`)
    for (const [number, listener] of owner.listeners) {
      listener.close(why)
      listenerOwners.delete(number)
    }
    owners.delete(name)
    connections.closeAllOf(name, why)
    return {}
  }

  const carryOut = (request: MeshRequest, event: (event: MeshEvent) => void): Result<MeshOutcome> => {
    switch (request.do) {
      case 'listen':
        return listen(request, event)
      case 'limit':
        return limit(request)
      case 'traffic':
        return { traffic: connections.traffic(request.owner) }
      case 'unlisten':
        return unlisten(request.listener)
      case 'identify':
        return identify(request)
      case 'connect':
        return connect(request)
      case 'close':
        return connections.close(request.connection, request.why)
      case 'forget':
        return forget(request.owner, 'the sidecar was removed')
    }
  }

  return {
    perform(request, done, event) {
      const outcome = carryOut(request, event)
      network.after(0, () => done(outcome))
    },
    open: () => connections.open(),
    get size() {
      return connections.size
    },
    leaves: () =>
      [...owners].flatMap(([owner, { identity }]) => {
        const leaf = identity?.chain[0]
        return leaf ? [{ owner, leaf }] : []
      }),
    close() {
      for (const name of [...owners.keys()]) forget(name, 'the agent is stopping')
    },
  }
}

function ignored(): void {
  // Nobody wants to know.
}
