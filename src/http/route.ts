import type { AnswerOf, CallsOf, Ref, RequestOf } from '../kernel/protocol.ts'
import type { Refusal, RefusalCode, Result } from '../kernel/refusal.ts'
import type { View } from '../kernel/tables.ts'
import type { Layout } from '../placement.ts'
import type { EdgeContext } from './context.ts'

/** A request after it was read within limits. */
export type HttpRequest = {
  method: string
  /** As it came, without the query. */
  path: string
  /** What stood for `*rest` in the route's path, %-decoded. */
  rest: string
  query: URLSearchParams
  /** Lower-case names. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: Buffer
  token: string
  /** IP address of the client. */
  from: string
  /** The file that holds the body, of an endpoint that has `bodyInFile`; whoever takes the request removes it. */
  bodyFile?: string
}

/** One of `json`, `text` and `bytes`; none: an empty body without a content type. */
export type HttpReply = {
  /** 200 if not given. */
  status?: number
  /** Several values of one name are headers of their own. */
  headers?: Record<string, string | readonly string[]>
  json?: unknown
  text?: string
  bytes?: Uint8Array
  /** Texts that are sent as they come, in place of the others; nobody asks for more once the client went away. */
  stream?: AsyncIterable<string>
  /** The path of a file that is sent and removed, in place of the others. */
  file?: string
  /** Content type of `text`, `bytes` and `file`. */
  type?: string
}

/** What a read found. `index` is what a blocking query waits on, and becomes X-Consul-Index. */
export type Reading = HttpReply & {
  index: number
  /** Whether the answer shows its index, and who says so. Default: it does. */
  showsIndex?: boolean
}

/** What an endpoint wants to know from which actor. Made by `question`. `datacenter`: the whole request is for another one (in lower case), as
 * its body says. */
export type Question = { to: Ref; name: string; request: unknown; withinMs: number; datacenter?: string }

export function question<P, N extends CallsOf<P>>(to: Ref<P>, name: N, request: RequestOf<P[N]>, withinMs = 15_000): Question {
  return { to, name, request, withinMs }
}

/** The part of a question that says where a request is for whose body names a datacenter; '' is the own one. */
export function elsewhere(named: string, own: string): { datacenter?: string } {
  const datacenter = named.toLowerCase()
  return datacenter === '' || datacenter === own ? {} : { datacenter }
}

/** The answer a question gets, for typing a route's `reply`. */
export type AnswerTo<P, N extends CallsOf<P>> = AnswerOf<P[N]>

type Common = {
  /** `/v1/kv/*rest` takes every path that begins with `/v1/kv/`; without a star the path must be equal. */
  path: string
  /** HTTP status of refusals where it is not the usual one (see status.ts). */
  statusOf?: Partial<Record<RefusalCode, number>>
  /** The body may be of any size and is put into a file. */
  bodyInFile?: boolean
  /** The body may name the datacenter, and counts before `?dc=`: then the question says where it goes. */
  datacenterInBody?: true
  /** The metric of Consul's servers, besides that of the endpoint, under which a request is measured. */
  metric?: (request: HttpRequest) => string | undefined
}

/** An endpoint is one of four kinds; each is two functions or one, and a line in routes/index.ts. */
export type Route = ReadRoute | AskRoute | BeginRoute | RunRoute

/** Answered from the tables on the thread that has the connection. Blocks when asked to (`index`, `wait`), wakes only when the answer changed. */
export type ReadRoute = Common & {
  method: 'GET'
  /** Pure: everything it reads from `view` is what a blocking query waits for. */
  read: (request: HttpRequest, view: View, settings: EdgeSettings) => Result<Reading> | HttpReply
  /** Catalog, health and query endpoints also say which consistency they had. */
  saysConsistency?: boolean
  /** Agents of Consul keep answers of this endpoint: with `?cached` it says where the answer came from. */
  saysCache?: boolean | ((request: HttpRequest) => boolean)
  /** Answered by what this server knows, although it may be behind the others. */
  atAnyTime?: true
  /** Reads whose answers differ from call to call (shuffled) are not kept. */
  uncached?: boolean
  /** What to do in place of reading, if the answer is not in these tables; undefined if it is. `done` is called once. */
  otherwise?: (request: HttpRequest, view: View, settings: EdgeSettings) => Longer | undefined
}

/** Asks one actor. `ask` may answer by itself. */
export type AskRoute = Common & {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  ask: (request: HttpRequest, settings: EdgeSettings) => Question | Refusal | HttpReply
  reply: (answer: never, request: HttpRequest, settings: EdgeSettings) => HttpReply
  /** The destination of the intentions that the question (its `request` is given) will change, if any, by what holds before: with
   * `?wait-enforced` the answer waits until they are in force. */
  enforces?: (asked: never, view: View) => string | undefined
}

/** Waits for something that no table tells: a feed, a device. `done` is called once, maybe at once; no promise is needed. */
export type BeginRoute = Common & {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  begin: (request: HttpRequest, context: EdgeContext, done: (reply: HttpReply | Refusal) => void) => void
}

/** `done` gets what makes the reply: others have told what it is made of, so making it may fail. */
type Longer = (context: EdgeContext, done: (make: () => HttpReply) => void) => void

/** Anything longer: several questions, streams. */
export type RunRoute = Common & {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  run: (request: HttpRequest, context: EdgeContext) => Promise<HttpReply | Refusal>
}

/** What endpoints may know of the configuration. */
export type EdgeSettings = {
  /** Whether somebody is known to lead the log. Default: always. */
  isLed?: () => boolean
  node: string
  datacenter: string
  defaultWaitMs: number
  maxWaitMs: number
  kvValueBytesMax: number
  /** Whether `?cached` means anything. */
  useCache: boolean
  /** Catalog and health answers may be this old where the request does not say; 0: they may not. */
  discoveryMaxStaleMs: number
  /** Whether nodes tell where they are in the network. */
  coordinates: boolean
  /** A float in [0, 1), for answers that are shuffled. */
  chance: () => number
  /** The roles of each thread of this agent, by its number. */
  threads: Layout
  /** The agent is no server: its tables have only what is about it. */
  isClient?: boolean
  /** Whoever asks is in another datacenter and takes the addresses for that. */
  isAbroad?: boolean
  /** Whoever asks takes the addresses for other datacenters of what is found there. */
  wanAddresses?: boolean
}

export function isReply(value: object): value is HttpReply {
  return !('to' in value) && !('refused' in value)
}
