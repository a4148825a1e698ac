import { setTimeout as pause } from 'node:timers/promises'
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js'
import type { EtcdOutcome } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { decodeMembers, decodeStatus, encodeMember, encodeMemberAdd } from './child-messages.ts'

/** Who belongs to a cluster of etcd, asked and changed through one of its members. See the device's contract for what is refused. */
export type EtcdCluster = {
  members(): Promise<Result<EtcdOutcome>>
  add(url: string): Promise<Result<EtcdOutcome>>
  promote(id: string): Promise<Result<EtcdOutcome>>
  remove(id: string): Promise<Result<EtcdOutcome>>
  close(): void
}

/** `socket`: the path of the member's socket. */
export function openCluster(socket: string): EtcdCluster {
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), CHANNEL)

  function ask<Answer>(path: string, request: Buffer, decode: (bytes: Buffer) => Answer): Promise<Result<Answer>> {
    const { promise, resolve } = Promise.withResolvers<Result<Answer>>()
    const deadline = Date.now() + ANSWER_MS_MAX
    client.makeUnaryRequest(path, same, decode, request, { deadline }, (error, answer) => {
      resolve((error ? refusalOf(error) : answer) as Result<Answer>)
    })
    return promise
  }

  async function members(): Promise<Result<EtcdOutcome>> {
    const [list, state] = await Promise.all([ask(LIST, NOTHING, decodeMembers(2)), ask(STATUS, NOTHING, decodeStatus)])
    if (isRefused(list)) return list
    return isRefused(state) ? state : { ...list, ...state }
  }

  /** Asks again while nobody leads: what is sent to a leader that is gone gets lost. Once it may have happened, a member that is missing is out. */
  async function remove(id: string): Promise<Result<EtcdOutcome>> {
    const giveUpAtMs = performance.now() + REMOVE_MS_MAX
    for (let mayBeOut = false; ; mayBeOut = true) {
      const outcome = await ask(REMOVE, encodeMember(id), decodeMembers(2))
      if (!isRefused(outcome)) return outcome
      if (outcome.refused === 'missing' && mayBeOut) return members()
      if (!['late', 'busy'].includes(outcome.refused) || performance.now() >= giveUpAtMs) return outcome
      await pause(RETRY_MS)
    }
  }

  return {
    members,
    add: (url) => ask(ADD, encodeMemberAdd(url), decodeMembers(3)),
    promote: (id) => ask(PROMOTE, encodeMember(id), decodeMembers(2)),
    remove,
    close: () => client.close(),
  }
}

const LIST = '/etcdserverpb.Cluster/MemberList'
const ADD = '/etcdserverpb.Cluster/MemberAdd'
const PROMOTE = '/etcdserverpb.Cluster/MemberPromote'
const REMOVE = '/etcdserverpb.Cluster/MemberRemove'
const STATUS = '/etcdserverpb.Maintenance/Status'
const ANSWER_MS_MAX = 2_500
const RETRY_MS = 100
/** The last try may begin so late: until then etcd has elected another leader, unless it cannot. */
const REMOVE_MS_MAX = 7_000
const NOTHING = Buffer.alloc(0)
const CHANNEL = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
}

function refusalOf({ code, details }: ServiceError): Refusal {
  if (code === status.NOT_FOUND) return refuse('missing', details)
  // One member learns at a time.
  if (code === status.FAILED_PRECONDITION && details.includes('too many learner')) return refuse('busy', details)
  if (code === status.FAILED_PRECONDITION || code === status.INVALID_ARGUMENT) return refuse('conflict', details)
  return refuse(code === status.DEADLINE_EXCEEDED ? 'late' : 'busy', details)
}

function same(bytes: Buffer): Buffer {
  return bytes
}
