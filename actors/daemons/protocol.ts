import type { DaemonProcess } from '../../src/kernel/ports.ts'
import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'

/** The third-party programs that this agent runs as managed proxies. */
export type DaemonsProtocol = {
  /** Whose token this is, with how the agent hands on its metrics; null if it is none that this agent gave to a proxy. */
  ownerOf: Call<{ token: string }, { daemon: WantedDaemon; telemetry: Record<string, unknown> } | null>
  /** How each is, ordered by id, again whenever one changes. The index counts values. */
  daemons: Feed<null, readonly DaemonStatus[]>
}

/** A program that is to run. `id` is the id of the proxy's own service, `serviceId` and `service` the one that it speaks for. */
export type WantedDaemon = { id: string; serviceId: string; service: string; command: readonly string[] }

/** `waiting`: it ended or could not be started, `why` says so, and it is started again later. `ending`: it was asked to end. */
export type DaemonPhase = 'starting' | 'running' | 'waiting' | 'ending' | 'forbidden'
export type DaemonStatus = { id: string; phase: DaemonPhase; why: string; pid: number; attempts: number }

export type DaemonsArgs = {
  /** Whether programs are started by an agent that runs as the system's administrator. */
  allowRoot: boolean
  /** Added to the agent's own environment: how its API is reached. */
  environment: Record<string, string>
  /** For the programs, under the names of the configuration. */
  telemetry: Record<string, unknown>
}

/** One program as the actor remembers it. */
export type Daemon = {
  id: string
  /** Secret; the same as long as the service has a proxy with a command. */
  token: string
  wanted: WantedDaemon | undefined
  /** What runs was started with this. */
  command: readonly string[]
  process: DaemonProcess | null
  phase: DaemonPhase
  why: string
  /** Starts in a row, none of which has run for long. */
  attempts: number
}

export const daemonsRef = refOf<DaemonsProtocol>('daemons')
