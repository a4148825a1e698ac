import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { ExecutionContext } from 'ava'
import type { Issued } from './authority.ts'

/**
 * A server of `grpc.health.v1.Health` on a port of this machine until the test ends; answers the port. Services by name with the
 * number of their status (1: SERVING, 2: NOT_SERVING), '' is the server as a whole; 'hangs' never answers.
 */
export async function grpcHealth(t: ExecutionContext, services: Readonly<Record<string, number | 'hangs'>>, tls?: Issued): Promise<number> {
  const server = new Server()
  const check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: ({ name }: { name: string }) => Buffer.from(name),
    requestDeserialize: (message: Buffer) => ({ name: message.subarray(2).toString() }),
    responseSerialize: (serving: number) => Buffer.from(serving === 0 ? [] : [8, serving]),
    responseDeserialize: (message: Buffer) => message[1] ?? 0,
  }
  server.addService(
    { check },
    {
      check({ request }: { request: { name: string } }, done: (error: object | null, serving?: number) => void) {
        const serving = services[request.name]
        if (serving === undefined) return done({ code: status.NOT_FOUND, details: 'unknown service' })
        if (serving !== 'hangs') done(null, serving)
      },
    },
  )
  const credentials = tls
    ? ServerCredentials.createSsl(null, [{ private_key: Buffer.from(tls.keyPem), cert_chain: Buffer.from(tls.certPem) }])
    : ServerCredentials.createInsecure()
  t.teardown(() => server.forceShutdown())
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)))
  })
}
