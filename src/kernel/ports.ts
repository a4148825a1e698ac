import type { EtcdEvent, EtcdOutcome, EtcdRequest } from './etcd-port.ts'
import type { GossipEvent, GossipOutcome, GossipRequest } from './gossip-port.ts'
import type { LinksEvent, LinksOutcome, LinksRequest } from './link-ports.ts'
import type { OwnApiAnswer, OwnApiRequest } from './own-api-port.ts'
import type { Result } from './refusal.ts'
import type { ChangeNotice, Transaction, View } from './tables.ts'

export type * from './etcd-port.ts'
export type * from './gossip-port.ts'
export type * from './own-api-port.ts'

/**
 * The outside world as the actors and their hosts see it. Each port has a real adapter in `net/` and a simulated one in
 * `sim/ports/`; the doc comment is the contract that both are tested on.
 */
export interface Clock {
  /** Milliseconds since 1970 as the machine believes them; may jump. */
  wallMs(): number
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number
  /** Calls `work` once, no sooner than `ms` from now. The answer cancels it. */
  after(ms: number, work: () => void): () => void
}

/** One named stream of chance. Equal names give equal sequences in a simulation. */
export interface Random {
  /** A float in [0, 1). */
  next(): number
  /** A whole number in [from, to]. */
  int(from: number, to: number): number
  /** A version-4 UUID in lower case. */
  uuid(): string
}

/** Durable, ordered tables. One writer (the log); any number of readers on any thread. */
export interface Tables {
  /** The newest committed state that is durable. */
  view(): View
  /** Applies `work` and calls `durable` once it would survive a power cut. Nothing of it is visible before. A disk that
   * cannot take it calls `durable` with a refusal (`busy`) and nothing has changed. If `work` throws, nothing has changed. */
  transact<R>(work: (tx: Transaction) => R, durable: (result: Result<R>) => void): void
  /** Only of copies of a log, which has what they lose: `transact` does not wait for the disk, and a power cut takes everything back
   * to one moment, at or after the last checkpoint that was answered. Makes what is visible now survive one. Refused by a disk that fails. */
  checkpoint?(done: (result: Result<null>) => void): void
  close(): void
}

/** A device takes an actor's request, calls `done` once with the outcome, and `event` as often as something happens to it. */
export interface Device<Request, Outcome, Event = never> {
  perform(request: Request, done: (outcome: Result<Outcome>) => void, event: (event: Event) => void): void
}

/** One order of commands for all servers of a cluster. A group is applied as a whole or not at all, on every server in the same
 * order; with a single server that is the order of its table commits. `done` is called once the group is durable and visible on
 * this server and its notice is out, with one outcome for each command. An empty group changes nothing: it is done once everything
 * is visible here that any server had answered when it was proposed. `busy`: nothing of the group has happened, nor will it.
 * `late`: nobody can know whether it has happened or will yet; if it does, it does so once, on all servers, and before any group
 * that is proposed after this answer. */
export type LogRequest = { commands: readonly object[] }
export type LogOutcome = { outcomes: Result<unknown>[]; notice: ChangeNotice }

/** How this server stands to a log that it shares with others. */
export type LogContact = {
  /** Whether somebody leads the log, as far as this server can know. */
  isLed: boolean
  /** Since when it has heard nothing of the log, in ms; Infinity if it never has. */
  silentMs: number
  /** For how long a sign of the log is overdue, in ms: 0 while all is well. */
  overdueMs: number
  /** The number of the election; 0 if it was not told. */
  term: number
}

/** Small records that belong to this agent alone (its registrations, its ports). Acknowledged when durable. */
export type StoreRequest =
  | { do: 'save'; kind: string; key: string; record: unknown }
  | { do: 'remove'; kind: string; key: string }
  /** All records of every kind, ordered by kind and key. */
  | { do: 'load' }
export type StoreOutcome = { records: { kind: string; key: string; record: unknown }[] }

/** Keys, certificate signing requests and certificates. PEM in, PEM out; times in ms since 1970; serials as whole numbers. */
export type KeyType = 'ec' | 'rsa'
export type CertificateAuthority = { certPem: string; keyPem: string }
export type SignerRequest =
  /** A new private key (SEC1 `EC PRIVATE KEY` or `RSA PRIVATE KEY`) and, if `request` is given, a CSR made with it. */
  | { do: 'key'; type: KeyType; bits: number; request?: { commonName: string; uri: string } }
  /** A self-signed CA certificate. */
  | { do: 'root'; keyPem: string; commonName: string; uri: string; serial: number; notBeforeMs: number; notAfterMs: number }
  /** `certPem`'s subject and key, signed by another CA. */
  | { do: 'cross-sign'; certPem: string; by: CertificateAuthority; serial: number; notBeforeMs: number; notAfterMs: number }
  /** What a CSR asks for; `invalid` if it cannot be parsed, its signature does not hold or it has no URI. */
  | { do: 'read-request'; csrPem: string }
  /** A leaf for the CSR's key, client and server. */
  | {
      do: 'leaf'
      csrPem: string
      by: CertificateAuthority
      commonName: string
      uri: string
      serial: number
      notBeforeMs: number
      notAfterMs: number
    }
  /** Facts of a certificate. `invalid` if it cannot be parsed. */
  | { do: 'read-certificate'; certPem: string }
  /** Facts of a CA's certificate; `invalid` if it is none, or the key is not its own. */
  | { do: 'read-authority'; by: CertificateAuthority }
export type SignerOutcome = {
  keyPem?: string
  csrPem?: string
  certPem?: string
  /** URI SANs. */
  uris?: string[]
  commonName?: string
  /** Colon-separated lower-case hex. `id` is the SHA-1 of the DER, `keyId` the subject key identifier, `authorityKeyId` the issuer's. */
  id?: string
  keyId?: string
  authorityKeyId?: string
  serial?: string
  isCa?: boolean
  isSelfSigned?: boolean
  keyType?: KeyType
  keyBits?: number
  notBeforeMs?: number
  notAfterMs?: number
}

/**
 * Whose certificate authority the cluster uses: its own built-in one (`consul`), one whose files an operator brings, or another
 * program's. `config` has the API's names and values as they were written, secrets in the clear.
 */
export type AuthorityConfig = {
  provider: 'consul' | 'vault' | 'aws-pca' | 'external'
  config: Record<string, unknown>
  trustDomain: string
  /** Lower-case UUID. */
  clusterId: string
  datacenter: string
}
/** What a provider needs to find a root of its own again and to sign with it; secret. Whoever asks keeps it under the root's id. */
export type AuthorityState = Record<string, string>
/**
 * All of it may be asked again. Refused: `invalid` what no second try can change, naming the key of the configuration; `forbidden` what
 * the provider does not let us do; `busy` or `late` when it cannot be reached or is not ready. Nothing that the cluster uses changes by it.
 */
export type AuthorityRequest =
  /**
   * Checks the whole configuration, and finds or makes its root and what signs leaves. `state` is what an earlier `prepare` of the
   * same authority answered, {} if there was none. A certificate that is made here has `serial`, unless the provider chooses itself,
   * and `unique` (a UUID) in its name. `rehearse`: changes nothing outside; what would have to be made is '' in the answer.
   * `founds`: the cluster is new, so a root that is there already may name another trust domain, which becomes the cluster's.
   */
  | {
      do: 'prepare'
      authority: AuthorityConfig
      state: AuthorityState
      serial: number
      unique: string
      nowMs: number
      rehearse: boolean
      founds?: boolean
    }
  /** A leaf for the CSR's key, client and server; the CSR was proven before. A provider that chooses serial numbers passes over `serial`. */
  | {
      do: 'sign'
      authority: AuthorityConfig
      state: AuthorityState
      csrPem: string
      commonName: string
      uri: string
      serial: number
      notBeforeMs: number
      notAfterMs: number
    }
  /** Another authority's root `certPem`, its subject and key signed by this root. `invalid` if this provider cannot. */
  | {
      do: 'cross-sign'
      authority: AuthorityConfig
      state: AuthorityState
      certPem: string
      serial: number
      notBeforeMs: number
      notAfterMs: number
    }
  /** Looks whether the provider can still sign, and renews what would end (a token's lease, an intermediate certificate). The root stays. */
  | { do: 'check'; authority: AuthorityConfig; state: AuthorityState; nowMs: number }
  /** Removes what `prepare` made for a root that nobody trusts any more, but for what those in `staying` use. */
  | {
      do: 'retire'
      authority: AuthorityConfig
      state: AuthorityState
      staying: { authority: AuthorityConfig; state: AuthorityState }[]
    }
/** Each request fills what it is asked for. */
export type AuthorityOutcome = {
  /** Of `prepare`; of `check` where something was renewed. */
  prepared?: PreparedAuthority
  /** Of `sign` and `cross-sign`. */
  certPem?: string
  /** What leads from the certificate to the root and is not among the prepared intermediates (`sign`: usually nothing), or to this
   * authority's root (`cross-sign`: nothing if the root itself signed). */
  chainPem?: string[]
  /** Of `sign`: the certificate's serial number, colon-separated lower-case hex. */
  serial?: string
  /** Of `sign`: how long it is valid, where the provider chose that itself. Not after what was asked for, but for its clock. */
  notBeforeMs?: number
  notAfterMs?: number
  /** Of `check`: when it is to be asked again at the latest, in ms from now. */
  againMs?: number
  /** Of `check`: what people may like to know. Nothing secret. */
  facts?: Record<string, string | number | boolean>
  /** Of `check` and `retire`: what will not go well unless somebody looks at it. Nothing secret. */
  warning?: string
}
export type PreparedAuthority = {
  /** The self-signed root, '' if it was not made because this is a rehearsal. */
  rootPem: string
  /** Facts of the root; see `SignerOutcome` for their forms. */
  rootId: string
  serial: string
  commonName: string
  notBeforeMs: number
  notAfterMs: number
  keyType: KeyType
  keyBits: number
  /** Key identifier of the certificate that signs leaves: the root, or the first of the intermediates. */
  signingKeyId: string
  /** From the certificate that signs leaves upwards, without the root; none if the root signs them. */
  intermediatesPem: string[]
  /** When the first of the intermediates ends, if there are any: no leaf is given a longer life. */
  signsUntilMs?: number
  state: AuthorityState
  /** The trust domain that the root names, in lower case; absent if it names none. */
  trustDomain?: string
  /** Whether `cross-sign` of this authority works. */
  crossSigns: boolean
  /** What people call it: `Consul CA Primary Cert`, `Vault CA Primary Cert`. */
  name: string
}

/** Looks at something outside once and says how it is. */
export type ProbeRequest =
  /** With `input`, the program reads that; else it has no input. */
  | { kind: 'script'; args: string[]; timeoutMs: number; outputMax: number; env: Record<string, string>; input?: string }
  | {
      kind: 'http'
      url: string
      method: string
      headers: Record<string, string[]>
      body: string
      timeoutMs: number
      outputMax: number
      tlsServerName: string
      tlsSkipVerify: boolean
      disableRedirects: boolean
    }
  | { kind: 'tcp'; address: string; timeoutMs: number }
  /** The standard `grpc.health.v1.Health` service. `target` is `host:port`, or `host:port/service` for one service of it. */
  | { kind: 'grpc'; target: string; timeoutMs: number; useTls: boolean; tlsServerName: string; tlsSkipVerify: boolean }
  /** A PING frame of HTTP/2 over TLS. */
  | { kind: 'h2ping'; address: string; timeoutMs: number; tlsServerName: string; tlsSkipVerify: boolean }
  /** A program inside a running container of Docker. */
  | { kind: 'docker'; container: string; args: string[]; timeoutMs: number; outputMax: number }
  /** The lowest port in the range on which nothing listens and that is not among `taken`. */
  | { kind: 'free-port'; address: string; from: number; to: number; taken: number[] }
export type HealthStatus = 'passing' | 'warning' | 'critical'
export type ProbeOutcome = { status: HealthStatus; output: string; port?: number }

/** Programs that run beside the agent, as the process's own user. No program outlives the process, and each ends with its group. */
export type ProgramRequest =
  /** Starts a program without input. The outcome carries `program`. What cannot be started is refused with `invalid`. */
  | { do: 'start'; work: ProgramWork }
  /** What it has written since, both outputs as they come: once there are `bytesMax` bytes, `settleMs` after the first byte, or
   * `waitMs` without any, or when it has ended. Then `exitCode` comes with the last of it, -1 if a signal ended it, and the program is
   * forgotten. One read at a time. What is not read holds the program up. */
  | { do: 'read'; program: number; bytesMax: number; settleMs: number; waitMs: number }
  /** Kills it and forgets it; a read under way is refused with `gone`. */
  | { do: 'end'; program: number }
  | { do: 'end-all' }
/** A line for the shell (`SHELL`, or /bin/sh), a program with its arguments, or the content of a file that the shell runs. */
export type ProgramWork = { line: string } | { args: readonly string[] } | { scriptBase64: string }
export type ProgramOutcome = { program: number; output: Uint8Array; exitCode: number | undefined }

/**
 * Programs that the agent looks after and that outlive it: each has an id, leads a session of its own and writes into two files of its
 * own. Without a data directory none outlives the agent.
 */
export type DaemonRequest =
  /** What was kept last, each with its process if that still runs. */
  | { do: 'load' }
  /** Keeps these in place of what was kept before; only this user may read it. `busy`: the disk does not take it. */
  | { do: 'keep'; daemons: KeptDaemon[] }
  /** Starts a program with `environment` added to the agent's own; the outcome carries `process`. `invalid`: it cannot be started,
   * `conflict`: one with this id runs. */
  | { do: 'start'; id: string; command: readonly string[]; environment: Record<string, string> }
  /** Follows a process that was started before. `missing`: it does not run any more. */
  | { do: 'follow'; id: string; process: DaemonProcess }
  /** Asks its process to end, or kills it with all that is in its session's first group. Done too if none runs. */
  | { do: 'signal'; id: string; signal: 'interrupt' | 'kill' }
/** A process, told apart from a later one with the same number. */
export type DaemonProcess = { pid: number; started: string; where: string }
export type KeptDaemon = { id: string; token: string; command: string[]; process: DaemonProcess | null }
/** `load` fills `kept` and `isRoot`: whether the agent runs as the system's administrator. */
export type DaemonOutcome = { process?: DaemonProcess; kept?: KeptDaemon[]; isRoot?: boolean }
/** A process that was started or followed has ended, and what it left in its group was killed. */
export type DaemonEvent = { did: 'ended'; pid: number; why: string }

/** The data plane. Bytes of a connection never pass through a mailbox; only decisions do. Connections and listeners are
 * numbered by the adapter, uniquely on its thread. `owner` names the sidecar, for its TLS material and its counters. */
export type MeshRequest =
  /** Opens a listener. `public` ones speak mutual TLS with the owner's identity, `upstream` ones plain TCP. The outcome carries
   * `listener`; a port in use is refused with `conflict` naming address and port. Port 0 lets the system choose. */
  | ({ do: 'listen'; owner: string; side: 'public' | 'upstream'; address: string; port: number } & MeshSocket & MeshLimits)
  /** Other limits from now on. What is open stays, even above them. */
  | ({ do: 'limit'; listener: number } & MeshLimits)
  | { do: 'unlisten'; listener: number }
  /** New TLS material for the owner: in use for every later handshake, in both directions, without touching open connections. */
  | { do: 'identify'; owner: string; certPem: string; keyPem: string; rootsPem: string[] }
  /** Dials for an accepted connection and, once connected, splices both. With `identity` over mutual TLS: the peer's chain must
   * lead to a root and its URI SAN must equal `identity`. Without: plain TCP (a path when `socketPath`). A failure is the
   * event `dial-failed`, and the accepted connection stays open for another try. `greeting` goes to the destination before
   * anything else. */
  | {
      do: 'connect'
      connection: number
      host: string
      port: number
      socketPath?: string
      identity?: string
      withinMs: number
      greeting?: Uint8Array
    }
  /** Ends a connection at once, both legs. `why` goes to the log of whoever asked. */
  | { do: 'close'; connection: number; why: string }
  /** What the owner's open connections have carried, those only that carried something since it was asked last. */
  | { do: 'traffic'; owner: string }
  /** Forgets the owner: its listeners and connections end, its keys are dropped. */
  | { do: 'forget'; owner: string }
/** With a path, a listener is there, and address and port do not count. A path that nobody listens on any more is taken over. The
 * mode is that of the socket's file; as the system makes it if not given. */
export type MeshSocket = { socketPath?: string; socketMode?: number }
/** `handshakeMs`: what a handshake may take. `connectionsMax`: what may be open, 0 for any number. `perSecondMax`: what may come in a
 * second, as many as that at once; any number if not given. Whoever comes above that is closed at once: `handshake-failed`, with a
 * reason that begins with `too many connections`. */
export type MeshLimits = { handshakeMs: number; connectionsMax: number; perSecondMax?: number }
export type MeshTraffic = { connection: number; receivedBytes: number; sentBytes: number }
export type MeshOutcome = { listener?: number; port?: number; traffic?: MeshTraffic[] }
/** The peer of a mutual TLS connection after its chain was verified. `serial` is colon-separated lower-case hex. */
export type MeshPeer = { uri: string; serial: string }
export type MeshEvent =
  /** `to`: where it came in. `handshakeMs`: what the handshake took that was made for it. '' and none for a path. */
  | { did: 'accepted'; listener: number; connection: number; from: string; to?: string; peer?: MeshPeer; handshakeMs?: number }
  /** `tookMs`: since it was asked for. */
  | { did: 'connected'; connection: number; peer?: MeshPeer; tookMs?: number }
  | { did: 'dial-failed'; connection: number; why: string }
  /** A connection that never got as far as `accepted`: handshake refused, too slow, no certificate, wrong chain. */
  | { did: 'handshake-failed'; listener: number; from: string; why: string; serial?: string }
  | { did: 'closed'; connection: number; why: string; receivedBytes: number; sentBytes: number; openMs: number }
  /** A listener that stopped by itself. */
  | { did: 'listener-failed'; listener: number; why: string }

/**
 * Snapshots of all tables, in files (see docs/snapshots.md). What fails because of the disk is refused with `busy`, a file that is
 * no whole snapshot with `invalid`.
 */
export type SnapshotRequest =
  /** Writes the newest commit into a file of its own. Whoever asked removes it. */
  | { do: 'save' }
  /** Fills the copy of the tables that is not in use from a file, which is removed; taking that copy is a command (see `copyTable`). */
  | { do: 'load'; path: string }
  /** Empties the copy that is not in use. */
  | { do: 'clear' }
  /** Removes a file that was saved or came in. */
  | { do: 'remove'; path: string }
/** `id` names what was saved or loaded: for `load` the SHA-256 in hex. */
export type SnapshotOutcome = {
  path: string
  id: string
  index: number
  bytes: number
  /** Of `save`, where the log is shared: up to which entry, and what was kept with its position. */
  position?: number
  mark?: number
}

/** The process's own life. */
export type ProcessRequest =
  /** Reads the configuration again. Refused with `invalid` if it cannot be used; the old one stays then. */
  | { do: 'reload' }
  /** Leaves the cluster and ends, after the outcome had time to reach whoever asked. */
  | { do: 'leave' }
  /** Facts about the machine. */
  | { do: 'host' }
  /** What all threads measured, for people or for Prometheus; `conflict` if Prometheus was not configured. */
  | { do: 'metrics'; format: 'json' | 'prometheus' }
  /** Lines of the log behind number `after` (undefined: from now on), of this level and above. Comes once there are some, or
   * without any after a while. */
  | { do: 'log'; after: number | undefined; level: LogLevel; json: boolean }
/** `log`: whole lines, the number of the newest one, and how many there were that are not kept any more. */
export type ProcessOutcome = {
  warnings: string[]
  host?: Record<string, unknown>
  metrics?: { json?: Record<string, unknown>; text?: string }
  log?: LogPiece
}
export type LogPiece = { text: string; newest: number; dropped: number }

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

export interface Devices {
  log: Device<LogRequest, LogOutcome>
  store: Device<StoreRequest, StoreOutcome>
  signer: Device<SignerRequest, SignerOutcome>
  /** Where the signer is. */
  authority: Device<AuthorityRequest, AuthorityOutcome>
  probes: Device<ProbeRequest, ProbeOutcome>
  programs: Device<ProgramRequest, ProgramOutcome>
  daemons: Device<DaemonRequest, DaemonOutcome, DaemonEvent>
  mesh: Device<MeshRequest, MeshOutcome, MeshEvent>
  gossip: Device<GossipRequest, GossipOutcome, GossipEvent>
  /** Where gossip is. */
  links: Device<LinksRequest, LinksOutcome, LinksEvent>
  /** The same for the pool of the servers of all datacenters, on servers. */
  'gossip-wan': Device<GossipRequest, GossipOutcome, GossipEvent>
  'links-wan': Device<LinksRequest, LinksOutcome, LinksEvent>
  /** On the main thread of servers that have an etcd of their own. */
  etcd: Device<EtcdRequest, EtcdOutcome, EtcdEvent>
  /** Saves on every thread, loads and clears on the one that writes. */
  snapshots: Device<SnapshotRequest, SnapshotOutcome>
  /** On threads that serve the API. */
  api: Device<OwnApiRequest, OwnApiAnswer>
  process: Device<ProcessRequest, ProcessOutcome>
}
export type DeviceName = keyof Devices
export type DeviceRequest<Name extends DeviceName> =
  Devices[Name] extends Device<infer Request, infer _Outcome, infer _Event> ? Request : never
export type DeviceOutcome<Name extends DeviceName> =
  Devices[Name] extends Device<infer _Request, infer Outcome, infer _Event> ? Outcome : never
export type DeviceEvent<Name extends DeviceName> = Devices[Name] extends Device<infer _Request, infer _Outcome, infer Event> ? Event : never

/** Everything a host needs from outside. A device that is not on this thread is absent; asking for it is a broken promise. */
export interface Ports {
  clock: Clock
  random(stream: string): Random
  tables: Pick<Tables, 'view'>
  devices: Partial<Devices>
  /** Only where servers share their log. */
  contact?: () => LogContact
  /** One line for the operator. `facts` are printed as `key=value`. */
  print(level: LogLevel, from: string, line: string, facts?: Record<string, unknown>): void
}
