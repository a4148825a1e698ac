import { agentOf } from '../catalog.ts'
import { isPassing, ResponseError } from '../errors.ts'
import { reads } from '../reads.ts'
import type { ServiceRegistration } from '../shapes.ts'
import type { Transport } from '../transport.ts'
import type { Log } from './events.ts'
import { keepFollowing } from './keep.ts'

export type Registration = {
  /** Resolves when the agent has it. */
  readonly ready: Promise<void>
  /** Takes it away from the agent. */
  end(): Promise<void>
}

/**
 * Registers a service that speaks Connect by itself. An agent that was away and has forgotten it is told again; what
 * somebody took away while the agent was there stays away.
 */
export function keepRegistered(transport: Transport, service: ServiceRegistration, signal: AbortSignal, log: Log): Registration {
  const agent = agentOf(transport)
  const registration = { ...service, Connect: { ...service.Connect, Native: true } }
  const id = service.ID ?? service.Name
  const ending = new AbortController()
  let wasAway = false
  const failed = (error: unknown) => {
    wasAway = true
    log({ did: 'failed', what: 'registration', error })
  }
  const follow = () =>
    keepFollowing(transport, reads.agentService(id), {
      signal: AbortSignal.any([signal, ending.signal]),
      failed,
      took(found) {
        if (found === undefined && wasAway) agent.register(registration).catch(failed)
        wasAway = false
      },
    })
  let following: ReturnType<typeof follow> | undefined
  const ready = agent.register(registration, { signal }).then(() => {
    following = follow()
    // What it rejects with was told, unless it is the end.
    following.first.catch(() => undefined)
  })
  return {
    ready,
    async end() {
      ending.abort()
      await following?.ended
      try {
        await agent.deregister(id)
      } catch (error) {
        // One that is gone already is as good; an agent that is away cannot be told.
        if (!(error instanceof ResponseError) && !isPassing(error)) throw error
        failed(error)
      }
    },
  }
}
