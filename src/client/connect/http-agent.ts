import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import type { DialOptions } from './dial.ts'

/** Dials what a host's name stands for. */
export type DialHost = (host: string, options?: DialOptions) => Promise<Duplex>

/** For `http.request` and `https.request` alike: both go over mutual TLS, to the service that the host's name says. */
export class ConnectAgent extends Agent {
  readonly #dial: DialHost

  constructor(dial: DialHost, options: AgentOptions) {
    super({ keepAlive: true, ...options })
    this.#dial = dial
    // Without one of its own it takes requests of either module.
    Object.assign(this, { protocol: undefined })
  }

  override createConnection(
    { host, hostname }: ClientRequestArgs,
    connected: (error: Error | null, stream: Duplex) => void = () => undefined,
  ): undefined {
    this.#dial(host ?? hostname ?? '').then(
      (socket) => connected(null, socket),
      // Node's types want a stream also where there is none.
      (error: Error) => (connected as (error: Error) => void)(error),
    )
    return undefined
  }
}

/** What the `connect` of undici's `Agent`, `Pool` and `Client` may be. */
export type Connector = (
  options: { hostname: string },
  connected: (...outcome: [error: null, socket: Duplex] | [error: Error, socket: null]) => void,
) => void

export function connectorOf(dial: DialHost): Connector {
  return ({ hostname }, connected) => {
    dial(hostname).then(
      (socket) => connected(null, socket),
      (error: Error) => connected(error, null),
    )
  }
}
