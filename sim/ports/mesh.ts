import type { Device, MeshEvent, MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { SimConnections, type SimOpenConnection } from './mesh-connections.ts'
import { type CertificateFacts, type CertificateReader, readSimIdentity, type SimIdentity } from './mesh-identity.ts'
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
export function createSimMesh({ network, node, wallMs, readCertificate }: SimMeshOptions): SimMesh {
  const owners = new Map<string, Owner>()
  const listenerOwners = new Map<number, string>()
  const connections = new SimConnections({ network, node, wallMs })
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
    if (bad !== undefined) return bad
    const number = lastListener + 1
    const owner = ownerOf(request.owner)
    const listener = new SimListener({
      ...request,
      network,
      listener: number,
      identity: () => owner.identity,
      wallMs,
      event,
      arrived: (socket, from, peer) => connections.accept({ owner: request.owner, listener: number, socket, from, peer, event }),
    })
    const bound = listener.open(node)
    if (isRefused(bound)) return bound
    lastListener = number
    owner.listeners.set(number, listener)
    listenerOwners.set(number, request.owner)
    return { listener: number, port: bound.port }
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
    const identity = readSimIdentity(certPem, keyPem, rootsPem, readCertificate)
    if (isRefused(identity)) return identity
    ownerOf(owner).identity = identity
    return {}
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
      case 'unlisten':
        return unlisten(request.listener)
      case 'identify':
        return identify(request)
      case 'connect':
        return connectProblem(request) ?? connections.connect(request.connection, request, (owner) => owners.get(owner)?.identity)
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

function listenProblem({ port, handshakeMs, connectionsMax }: Extract<MeshRequest, { do: 'listen' }>): Refusal | undefined {
  if (!isPort(port, 0)) return refuse('invalid', `port: must be a whole number from 0 to 65535, got ${port}`)
  if (!(handshakeMs > 0)) return refuse('invalid', `handshakeMs: must be above 0, got ${handshakeMs}`)
  if (Number.isInteger(connectionsMax) && connectionsMax >= 0) return undefined
  return refuse('invalid', `connectionsMax: must be a whole number, got ${connectionsMax}`)
}

function connectProblem({ host, port, socketPath, withinMs }: Extract<MeshRequest, { do: 'connect' }>): Refusal | undefined {
  if (!(withinMs > 0)) return refuse('invalid', `withinMs: must be above 0, got ${withinMs}`)
  if (socketPath) return undefined
  if (host === '') return refuse('invalid', 'host: must not be empty')
  return isPort(port, 1) ? undefined : refuse('invalid', `port: must be a whole number from 1 to 65535, got ${port}`)
}

function isPort(port: number, least: number): boolean {
  return Number.isInteger(port) && port >= least && port <= 65_535
}
