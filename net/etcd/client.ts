import { isIP } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import type { EtcdConfig } from '../../src/config/config.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import type { SharedContact } from './contact.ts'
import {
  decodeGrant,
  decodeRange,
  decodeTxn,
  decodeWatch,
  encodeCompact,
  encodeGrant,
  encodeLease,
  encodeRange,
  encodeTxn,
  encodeWatch,
  type LeaseAnswer,
  type RangeAnswer,
  type RangeRequest,
  type TxnAnswer,
  type TxnRequest,
  type WatchAnswer,
  type WatchRequest,
} from './messages.ts'

/**
 * Asks an etcd cluster, one member at a time; the next one once a member does not answer. Refused: `busy` if it is certain that
 * nothing has happened, `late` if nobody can know, `gone` for revisions that are compacted, `invalid` or `forbidden` as etcd says.
 */
export type Etcd = {
  range(request: RangeRequest): Promise<Result<RangeAnswer>>
  txn(request: TxnRequest): Promise<Result<TxnAnswer>>
  /** Forgets what was overwritten or deleted before a revision. */
  compact(revision: number): Promise<Result<Nothing>>
  grant(ttlS: number): Promise<Result<LeaseAnswer>>
  /** The time left is 0 if there is no such lease any more. */
  keepAlive(id: bigint): Promise<Result<LeaseAnswer>>
  revoke(id: bigint): Promise<Result<Nothing>>
  /** Tells what is put, in order, until it calls `ended`, once, or the answer is called. */
  watch(request: WatchRequest, told: (answer: WatchAnswer) => void, ended: (why: Refusal) => void): () => void
  close(): void
}

export type Nothing = Readonly<Record<string, never>>
/** The bytes of TLS files; absent where none is given. */
export type EtcdFiles = { ca?: Buffer; cert?: Buffer; key?: Buffer }
/** Where a member is: the path of its socket, or an address. */
export type EtcdEndpoint = { readonly socket: string } | EtcdConfig['endpoints'][number]
/** `contact`: is told of every answer, and when a member says that nobody leads. */
export type EtcdOptions = { endpoints: readonly EtcdEndpoint[]; files: EtcdFiles; contact?: Pick<SharedContact, 'heard' | 'lost'> }

export function connectEtcd({ endpoints, files, contact }: EtcdOptions): Etcd {
  const members = endpoints.map((endpoint) => memberOf(endpoint, files))
  let current = 0
  let isClosed = false

  /** From now on another member is asked, unless that is so already. */
  function leave(member: Member): void {
    if (members[current] === member) current = (current + 1) % members.length
  }

  async function ask<Answer>(path: string, request: Buffer, decode: (bytes: Buffer) => Answer): Promise<Result<Answer>> {
    const member = members[current] as Member
    const answer = isClosed ? CLOSED : ((await connected(member)) ?? (await unary(member.client, path, request, decode)))
    if (isMemberAway(answer)) leave(member)
    if (!isRefused(answer)) contact?.heard((answer as { term?: number }).term)
    else if (answer.why === NO_LEADER) contact?.lost()
    return answer
  }

  function watch(request: WatchRequest, told: (answer: WatchAnswer) => void, ended: (why: Refusal) => void): () => void {
    const member = members[current] as Member
    let isOver = false
    let stream: ClientDuplexStream<Buffer, WatchAnswer> | undefined
    const end = (why: Refusal) => {
      if (isOver) return
      isOver = true
      stream?.cancel()
      if (isMemberAway(why)) leave(member)
      ended(why)
    }
    void connected(member).then((refusal) => {
      if (isOver) return
      if (refusal) return end(refusal)
      stream = member.client.makeBidiStreamRequest(WATCH, same, decodeWatch, WITH_LEADER)
      stream.on('data', (answer: WatchAnswer) => {
        if (isOver) return
        contact?.heard()
        if (answer.put.length > 0) told(answer)
        if (answer.canceled) {
          end(answer.compactRevision > 0 ? refuse('gone', 'etcd has compacted it') : refuse('busy', answer.cancelReason))
        }
      })
      stream.on('error', (error: ServiceError) => end(refusalOf(error)))
      stream.on('end', () => end(refuse('busy', 'etcd ended the watch')))
      stream.write(encodeWatch(request))
    })
    return () => {
      isOver = true
      stream?.cancel()
    }
  }

  return {
    range: (request) => ask(RANGE, encodeRange(request), decodeRange),
    txn: (request) => ask(TXN, encodeTxn(request), decodeTxn),
    compact: (revision) => ask(COMPACT, encodeCompact(revision), nothing),
    grant: (ttlS) => ask(GRANT, encodeGrant(ttlS), decodeGrant),
    keepAlive: (id) => ask(KEEP_ALIVE, encodeLease(id), decodeGrant),
    revoke: (id) => ask(REVOKE, encodeLease(id), nothing),
    watch,
    close() {
      isClosed = true
      for (const { client } of members) client.close()
    },
  }
}

type Member = { readonly endpoint: string; readonly client: Client }

const RANGE = '/etcdserverpb.KV/Range'
const TXN = '/etcdserverpb.KV/Txn'
const COMPACT = '/etcdserverpb.KV/Compact'
const WATCH = '/etcdserverpb.Watch/Watch'
const GRANT = '/etcdserverpb.Lease/LeaseGrant'
const REVOKE = '/etcdserverpb.Lease/LeaseRevoke'
/** A stream, of which each call here is a whole one. */
const KEEP_ALIVE = '/etcdserverpb.Lease/LeaseKeepAlive'

const CONNECT_MS_MAX = 500
const ANSWER_MS_MAX = 2_500
const CLOSED = refuse('gone', 'the agent is stopping')

/** A member that has no leader says so at once, before it does anything. */
const WITH_LEADER = new Metadata()
WITH_LEADER.set('hasleader', 'true')

/** Nothing is shared with other channels, and nothing of the environment sends them elsewhere. */
const CHANNEL: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
}

function memberOf(at: EtcdEndpoint, { ca, cert, key }: EtcdFiles): Member {
  if ('socket' in at) {
    const endpoint = `unix:${at.socket}`
    return { endpoint, client: new Client(endpoint, credentials.createInsecure(), CHANNEL) }
  }
  const { host, port, tls } = at
  const endpoint = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (!tls) return { endpoint, client: new Client(endpoint, credentials.createInsecure(), CHANNEL) }
  // An address is no server name: it is not sent as one, but the certificate must be for it.
  const verify =
    isIP(host) === 0
      ? {}
      : { checkServerIdentity: (_name: string, peer: Parameters<typeof checkServerIdentity>[1]) => checkServerIdentity(host, peer) }
  const security = credentials.createSsl(ca ?? null, key ?? null, cert ?? null, verify)
  const options = isIP(host) === 0 ? CHANNEL : { ...CHANNEL, 'grpc.ssl_target_name_override': 'localhost' }
  return { endpoint, client: new Client(endpoint, security, options) }
}

/** Nothing once there is a connection: what is asked before that was certainly not heard. */
async function connected({ endpoint, client }: Member): Promise<Refusal | undefined> {
  if (client.getChannel().getConnectivityState(true) === connectivityState.READY) return undefined
  const { promise, resolve } = Promise.withResolvers<Refusal | undefined>()
  client.waitForReady(Date.now() + CONNECT_MS_MAX, (error) => {
    resolve(error ? refuse('busy', `etcd at ${endpoint} cannot be reached`) : undefined)
  })
  return promise
}

function unary<Answer>(client: Client, path: string, request: Buffer, decode: (bytes: Buffer) => Answer): Promise<Result<Answer>> {
  const { promise, resolve } = Promise.withResolvers<Result<Answer>>()
  const deadline = Date.now() + ANSWER_MS_MAX
  client.makeUnaryRequest(path, same, decode, request, WITH_LEADER, { deadline }, (error, answer) => {
    resolve((error ? refusalOf(error) : answer) as Result<Answer>)
  })
  return promise
}

function refusalOf({ code, details }: ServiceError): Refusal {
  const isCertain = code === status.RESOURCE_EXHAUSTED || (code === status.UNAVAILABLE && details === NO_LEADER)
  if (isCertain) return refuse('busy', details)
  if (code === status.OUT_OF_RANGE) return refuse('gone', details)
  if (code === status.INVALID_ARGUMENT || code === status.FAILED_PRECONDITION) return refuse('invalid', details)
  if (code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED) return refuse('forbidden', details)
  if (code === status.NOT_FOUND) return refuse('missing', details)
  return refuse('late', details)
}

const NO_LEADER = 'etcdserver: no leader'

function isMemberAway(answer: unknown): boolean {
  const { refused } = answer as Partial<Refusal>
  return refused === 'busy' || refused === 'late'
}

function same(bytes: Buffer): Buffer {
  return bytes
}

/** The client of gRPC takes null for no answer. */
function nothing(): Nothing {
  return {}
}
