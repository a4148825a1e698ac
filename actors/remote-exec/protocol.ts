import { type Cast, refOf } from '../../src/kernel/protocol.ts'
import type { Token } from '../authorize.ts'

/** Runs on this machine what somebody asks all agents to run, if the configuration allows it. */
export type RemoteExecProtocol = {
  /** A user event `_rexec` concerns this agent: its payload says where the job is in the key/value store. */
  asked: Cast<{ id: string; payload: Uint8Array }>
}

export const remoteExecRef = refOf<RemoteExecProtocol>('remote-exec')

/** `token` is what the agent itself reads and writes with. */
export type RemoteExecArgs = { enabled: boolean; token: Token }
