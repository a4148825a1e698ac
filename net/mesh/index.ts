import type { Device, MeshEvent, MeshOutcome, MeshRequest } from '../../src/kernel/ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'
import { connectProblem, limitsProblem, listenProblem } from '../../src/mesh-faults.ts'
import { Carriers, Speakers } from './carriers.ts'
import { Connections } from './connections.ts'
import { Listener } from './listener.ts'
import { type Identity, readIdentity } from './tls.ts'

export type MeshOptions = {
  /** For `openMs`; any start. */
  readonly monotonicMs?: () => number
  /** How long a TLS connection that was shared stays open for the next one to come. */
  readonly idleMs?: number
}

export type MeshDevice = Device<MeshRequest, MeshOutcome, MeshEvent> & {
  /** Ends every listener and connection. Resolves when the last `closed` was reported. */
  close(): Promise<void>
}

type Owner = { identity: Identity | undefined; carriers: Carriers | undefined; readonly listeners: Map<number, Listener> }

/**
 * The data plane on this thread's sockets. Events of a listener and of its connections go to the `event` function that came
 * with its `listen` request. Requests about a connection that has ended are refused with `gone`, about one that never was
 * with `missing`. `connectionsMax` 0 sets no limit.
 */
export function createMesh({ monotonicMs = () => performance.now(), idleMs = IDLE_MS }: MeshOptions = {}): MeshDevice {
  const owners = new Map<string, Owner>()
  const listenerOwners = new Map<number, Owner>()
  const connections = new Connections(monotonicMs)
  const speakers = new Speakers()
  let lastListener = 0

  const ownerOf = (name: string): Owner => {
    const known = owners.get(name)
    if (known !== undefined) return known
    const owner: Owner = { identity: undefined, carriers: undefined, listeners: new Map() }
    owners.set(name, owner)
    return owner
  }

  const perform: MeshDevice['perform'] = (request, done, event) => {
    switch (request.do) {
      case 'listen': {
        const bad = listenProblem(request)
        if (bad !== undefined) return done(refuse('invalid', bad))
        const owner = ownerOf(request.owner)
        const number = ++lastListener
        const listener = new Listener({
          ...request,
          listener: number,
          event,
          // Whoever dialled ends it first, so that what it asks for does not meet with its end.
          idleMs: idleMs * 4,
          monotonicMs,
          arrived: (arrived) => connections.accept({ owner: request.owner, listener: number, event, ...arrived }),
        })
        if (owner.identity !== undefined) listener.identify(owner.identity)
        owner.listeners.set(number, listener)
        listenerOwners.set(number, owner)
        listener.open((outcome) => {
          if (!isRefused(outcome)) return done({ listener: number, port: outcome.port })
          owner.listeners.delete(number)
          listenerOwners.delete(number)
          done(outcome)
        })
        return
      }
      case 'limit': {
        const bad = limitsProblem(request)
        if (bad !== undefined) return done(refuse('invalid', bad))
        const listener = listenerOwners.get(request.listener)?.listeners.get(request.listener)
        if (listener === undefined) return done(refuse('missing', `there is no listener ${request.listener}`))
        listener.limit(request)
        return done({})
      }
      case 'unlisten': {
        const owner = listenerOwners.get(request.listener)
        if (owner === undefined) return done(refuse('missing', `there is no listener ${request.listener}`))
        owner.listeners.get(request.listener)?.close('the listener was closed')
        owner.listeners.delete(request.listener)
        listenerOwners.delete(request.listener)
        return done({})
      }
      case 'identify': {
        const identity = readIdentity(request.certPem, request.keyPem, request.rootsPem)
        if (isRefused(identity)) return done(identity)
        const owner = ownerOf(request.owner)
        owner.carriers?.retire()
        owner.identity = identity
        owner.carriers = new Carriers(identity, speakers, idleMs)
        for (const listener of owner.listeners.values()) listener.identify(identity)
        return done({})
      }
      case 'connect': {
        const bad = connectProblem(request)
        if (bad !== undefined) return done(refuse('invalid', bad))
        return done(connections.connect(request.connection, request, (owner) => owners.get(owner)?.carriers))
      }
      case 'close':
        return done(connections.close(request.connection, request.why))
      case 'traffic':
        return done({ traffic: connections.traffic(request.owner) })
      case 'forget': {
        const owner = owners.get(request.owner)
        if (owner === undefined) return done(refuse('missing', `there is no owner "${request.owner}"`))
        forget(request.owner, owner, 'the sidecar was removed')
        return done({})
      }
    }
  }

  const forget = (name: string, owner: Owner, why: string) => {
    for (const [number, listener] of owner.listeners) {
      listener.close(why)
      listenerOwners.delete(number)
    }
    owner.listeners.clear()
    owners.delete(name)
    connections.closeAllOf(name, why)
    owner.carriers?.retire()
  }

  return {
    perform,
    close() {
      for (const [name, owner] of owners) forget(name, owner, 'the agent is stopping')
      return connections.drained()
    },
  }
}

const IDLE_MS = 30_000
