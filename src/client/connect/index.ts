import type { TLSSocket } from 'node:tls'
import { type ClientOptions, transportOf } from '../options.ts'
import type { DialOptions } from './dial.ts'
import type { ConnectServer, ListenOptions, SocketHandler } from './listen.ts'
import { type ConnectService, openService, type ServiceOptions } from './service.ts'
import type { Target } from './target.ts'

export type ConnectOptions = ClientOptions & ServiceOptions

/** Applications that speak Connect by themselves, without a sidecar. */
export const connect = {
  /** Opens a service: fetches its certificate, and follows that until it is closed. */
  service: (name: string, options: ConnectOptions = {}): Promise<ConnectService> => openService(transportOf(options), name, options),

  /** Opens a service and listens for it. Closing the server closes both. */
  async listen(name: string, handler: SocketHandler, options: ConnectOptions & ListenOptions = {}): Promise<ConnectServer> {
    const service = await openService(transportOf(options), name, options)
    try {
      const server = await service.listen(handler, options)
      return {
        server: server.server,
        port: server.port,
        get open() {
          return server.open
        },
        close: (how) => server.close(how).finally(service.close),
      }
    } catch (error) {
      await service.close()
      throw error
    }
  },

  /** One connection, as the service `as`. Whoever dials often opens a service and keeps it. */
  async dial(target: Target, { as, ...options }: ConnectOptions & DialOptions & { as: string }): Promise<TLSSocket> {
    const service = await openService(transportOf(options), as, options)
    try {
      return await service.dial(target, options)
    } finally {
      await service.close()
    }
  },
}
