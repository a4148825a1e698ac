/** What happens to a service of the mesh in this process. Nothing in it is secret. */
export type ConnectEvent =
  /** Newer TLS material is in use for every handshake from now on. Open connections stay. */
  | { did: 'renewed'; serial: string; validUntil: Date; activeRootId: string }
  /** Somebody who dialled was not let in. `source` is its SPIFFE id and `serial` that of its certificate, as far as they are known. */
  | { did: 'refused'; from: string; why: string; source?: string; serial?: string }
  /** A connection that was let in was closed, because an intention does not allow it any more. */
  | { did: 'closed'; from: string; why: string; source: string; serial: string }
  /** What is tried again; what was known before stays in force. */
  | { did: 'failed'; what: 'leaf' | 'roots' | 'intentions' | 'registration' | 'report'; error: unknown }
  /** A listener that stopped by itself, or could not take a connection. */
  | { did: 'listener-failed'; error: unknown }

export type Log = (event: ConnectEvent) => void
