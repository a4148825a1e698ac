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

  return {
    async members() {
      const [list, state] = await Promise.all([ask(LIST, NOTHING, decodeMembers(2)), ask(STATUS, NOTHING, decodeStatus)])
      if (isRefused(list)) return list
      return isRefused(state) ? state : { ...list, ...state }
    },
    add: (url) => ask(ADD, encodeMemberAdd(url), decodeMembers(3)),
    promote: (id) => ask(PROMOTE, encodeMember(id), decodeMembers(2)),
    remove: (id) => ask(REMOVE, encodeMember(id), decodeMembers(2)),
    close: () => client.close(),
  }
}

const LIST = '/etcdserverpb.Cluster/MemberList'
const ADD = '/etcdserverpb.Cluster/MemberAdd'
const PROMOTE = '/etcdserverpb.Cluster/MemberPromote'
const REMOVE = '/etcdserverpb.Cluster/MemberRemove'
const STATUS = '/etcdserverpb.Maintenance/Status'
const ANSWER_MS_MAX = 2_500
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
