import { isIP, type Socket } from 'node:net'
import { checkServerIdentity } from 'node:tls'
import { type ChannelCredentials, type ChannelOptions, Client, credentials, type ServiceError } from '@grpc/grpc-js'
import type { ProbeRequest } from '../../src/kernel/ports.ts'
import { dialErrorText, hostAndPort } from './dial-errors.ts'
import { critical, type Probe } from './probe.ts'
import { targetOf } from './target.ts'
import { tlsErrorText } from './tls-errors.ts'

/**
 * Asks `grpc.health.v1.Health/Check` once, on a connection of its own; what follows the first slash of the target is the service
 * asked about. Passing if it serves, else critical with the status or, in the words of Go's client, what went wrong.
 * Source: the gRPC health checking protocol.
 */
export const grpcProbe: Probe<'grpc'> = (request, done) => {
  const { target, timeoutMs } = request
  const [server = '', ...service] = target.split('/')
  const address = targetOf(server)
  if (typeof address === 'string') return done(critical(unavailable(`${WHILE_DIALING} dial tcp: ${address}`)))
  const [security, options] = securityOf(request, address.host)
  const sockets = recordSockets(security)
  const client = new Client(hostAndPort(address.host, address.port), security, options)
  const deadline = Date.now() + (timeoutMs > 0 ? timeoutMs : TIMEOUT_MS_DEFAULT)
  client.makeUnaryRequest(METHOD, encodeRequest, decodeResponse, service.join('/'), { deadline }, (error, status) => {
    client.close()
    for (const socket of sockets) socket.destroy()
    if (error) return done(critical(errorText(error, server)))
    if (status === SERVING) return done({ status: 'passing', output: `gRPC check ${target}: success` })
    done(critical(`gRPC ${target} serving status: ${STATUSES[status ?? 0] ?? status}`))
  })
}

const TIMEOUT_MS_DEFAULT = 10_000
const METHOD = '/grpc.health.v1.Health/Check'
/** Nothing is shared between probes, and nothing of the environment sends them elsewhere. */
const CHANNEL: ChannelOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.max_receive_message_length': 4_194_304,
}
const SERVING = 1
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/** An address is no server name: it is not sent as one, but the certificate must be for it. */
function securityOf(request: Extract<ProbeRequest, { kind: 'grpc' }>, host: string): [ChannelCredentials, ChannelOptions] {
  const { useTls, tlsServerName, tlsSkipVerify } = request
  if (!useTls) return [credentials.createInsecure(), CHANNEL]
  const isAddress = tlsServerName === '' && isIP(host) !== 0
  const verify = { rejectUnauthorized: !tlsSkipVerify }
  const serverName = isAddress ? 'localhost' : tlsServerName
  return [
    credentials.createSsl(
      null,
      null,
      null,
      isAddress ? { ...verify, checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) } : verify,
    ),
    serverName === '' ? CHANNEL : { ...CHANNEL, 'grpc.ssl_target_name_override': serverName },
  ]
}

/** What a channel with these credentials connects with. Closing a channel leaves open what a silent server has accepted. */
function recordSockets(security: ChannelCredentials): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  const createConnector = security._createSecureConnector.bind(security)
  security._createSecureConnector = (...given) => {
    const connector = createConnector(...given)
    const connect = connector.connect.bind(connector)
    connector.connect = (socket) => {
      sockets.add(socket)
      return connect(socket)
    }
    return connector
  }
  return sockets
}

/** Go's names of the status codes, by number. */
const CODES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
]
const DEADLINE_EXCEEDED = 4
const UNAVAILABLE = 14
const WHILE_DIALING = 'transport: Error while dialing'

function errorText({ code, details }: ServiceError, server: string): string {
  if (code === DEADLINE_EXCEEDED) return rpcError(code, 'context deadline exceeded')
  if (details.startsWith('Name resolution failed')) return unavailable(`${WHILE_DIALING} dial tcp: lookup ${hostOf(server)}: no such host`)
  const [, why] = /^No connection established\. Last error: (?:Error(?: \[\w+\])?: )?(.*)\. Resolution note: /s.exec(details) ?? []
  return why === undefined ? rpcError(code, details) : unavailable(connectionText(why.trim(), server))
}

function connectionText(why: string, server: string): string {
  const [, code] = /^connect (E[A-Z]+) /.exec(why) ?? []
  if (code !== undefined) return `${WHILE_DIALING} ${dialErrorText({ code, syscall: 'connect', message: why }, server)}`
  if (/^(Failed to connect|Protocol error)/.test(why)) return 'connection closed'
  return `transport: authentication handshake failed: ${tlsErrorText({ message: why })}`
}

function hostOf(server: string): string {
  return server.slice(0, server.lastIndexOf(':'))
}

function unavailable(why: string): string {
  const described = `connection error: desc = ${JSON.stringify(why)}`
  return rpcError(UNAVAILABLE, `all SubConns are in TransientFailure, latest connection error: ${described}`)
}

function rpcError(code: number, details: string): string {
  return `rpc error: code = ${CODES[code] ?? `Code(${code})`} desc = ${details}`
}

const LENGTH_DELIMITED = 2

/** Field 1, the service's name; left out when it is empty, as proto3 does. */
function encodeRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0)
  const name = Buffer.from(service)
  return Buffer.concat([Buffer.from([(1 << 3) | LENGTH_DELIMITED, ...varint(name.length)]), name])
}

/** The value of field 1, 0 if it is not there. */
function decodeResponse(message: Buffer): number {
  if (message.length < 2 || message[0] !== 1 << 3) return 0
  let status = 0
  for (let index = 1; index < Math.min(message.length, VARINT_BYTES_MAX + 1); index += 1) {
    const byte = message[index] ?? 0
    status += (byte & 0x7f) * 2 ** (7 * (index - 1))
    if (byte < 0x80) break
  }
  return status
}

const VARINT_BYTES_MAX = 5

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}
