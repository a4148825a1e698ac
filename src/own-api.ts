import { type Api, type ApiAnswer, type ApiOptions, createApi } from './http/api.ts'
import type { Device, DnsAsked, HttpAnswered, HttpAsked, OwnApiAnswer, OwnApiRequest } from './kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from './kernel/refusal.ts'

const NOTHING: OwnApiAnswer = { status: 204, index: '', hash: '', text: '' }
const NO_BODY = Buffer.alloc(0)
/** What never ends cannot be sent as a whole. */
const ONLY_AT_A_SERVER = 'this cannot be asked through a client agent: ask a server'

export type OwnApiParts = {
  options: () => ApiOptions
  /** Answers a DNS question that came to another agent; absent where there is no DNS. */
  answerDns?: (node: string, question: DnsAsked, done: (records: Result<object>) => void) => void
  /** Reads a file that is to be sent, and removes it; absent where there are no files. */
  takeFile?: (path: string, done: (bytes: Result<Uint8Array>) => void) => void
}

/**
 * The interfaces of an edge thread as a device of its own actors: what they ask takes the way of any request, without a socket. What comes
 * from other agents was judged by their own rules about who may ask, so those of this one do not count.
 */
export function ownApi({ options, answerDns, takeFile }: OwnApiParts): Device<OwnApiRequest, OwnApiAnswer> {
  let own: Api | undefined
  let forOthers: Api | undefined
  let abroad: Api | undefined
  const waiting = new Map<string, () => void>()
  function forget(asker: string): void {
    const giveUp = waiting.get(asker)
    waiting.delete(asker)
    giveUp?.()
  }

  function handle(asker: string, api: Api, asked: Parameters<Api['handle']>[0], done: (answer: Result<ApiAnswer>) => void): void {
    let isOver = false
    const finish = (answer: ApiAnswer | Refusal) => {
      if (isOver) return
      isOver = true
      done(answer)
    }
    const stop = api.handle(asked, (answer) => {
      waiting.delete(asker)
      finish(answer)
    })
    if (isOver) return
    waiting.set(asker, () => {
      stop()
      finish(refuse('gone', 'its asker asked for something else'))
    })
  }

  const createForOthers = (isAbroad: boolean) => create({ ...withoutGate(options()), isAbroad })

  return {
    perform(request, done) {
      const { asker } = request
      forget(asker)
      switch (request.do) {
        case 'forget':
          return done(NOTHING)
        case 'get': {
          own ??= create(options())
          const headers = request.token === '' ? {} : { 'x-consul-token': request.token }
          const asked = { method: 'GET', url: request.url, headers, from: '127.0.0.1', readBody: bodyOf(NO_BODY) }
          return handle(asker, own, asked, (answer) => done(isRefused(answer) ? answer : answerOf(answer)))
        }
        case 'exchange': {
          const asked = askedBy(request.node, request.request)
          const { datacenter, wanAddresses } = request.request
          const api = datacenter !== undefined && wanAddresses ? (abroad ??= createForOthers(true)) : (forOthers ??= createForOthers(false))
          const give = (exchange: HttpAnswered) => done({ ...NOTHING, exchange })
          return handle(asker, api, asked, (answer) => {
            if (isRefused(answer)) return done(answer)
            if (answer.file === undefined || !takeFile) return give(wholeOf(answer))
            const { file: _file, ...rest } = answer
            takeFile(answer.file, (bytes) => give(isRefused(bytes) ? failed(bytes.why) : { ...wholeOf(rest), bytes }))
          })
        }
        case 'question': {
          if (!answerDns) return done(refuse('invalid', 'this server does not answer DNS questions'))
          return answerDns(request.node, request.question, (records) => done(isRefused(records) ? records : { ...NOTHING, records }))
        }
      }
    },
  }
}

/** Answers on one line, in dev mode too. */
function create(options: ApiOptions): Api {
  return createApi({ ...options, config: { ...options.config, devMode: false } })
}

function withoutGate(options: ApiOptions): ApiOptions {
  const http = { ...options.config.http, blockEndpoints: [], allowWriteHttpFrom: [], allowHosts: [], responseHeaders: {} }
  return { ...options, config: { ...options.config, http, translateWanAddrs: false } }
}

function askedBy(node: string, { body, wanAddresses = false, ...asked }: HttpAsked): Parameters<Api['handle']>[0] {
  return { ...asked, node, wanAddresses, readBody: bodyOf(Buffer.from(body.buffer, body.byteOffset, body.byteLength)) }
}

function bodyOf(body: Buffer): (bytesMax: number, done: (body: Buffer | number) => void) => void {
  return (bytesMax, done) => done(body.byteLength > bytesMax ? body.byteLength : body)
}

/** Streams do not travel. */
function wholeOf({ status, headers, type = '', bytes, file, stream }: ApiAnswer): HttpAnswered {
  if (file === undefined && stream === undefined) return { status, headers: [...headers], type, bytes }
  return failed(ONLY_AT_A_SERVER)
}

function failed(why: string): HttpAnswered {
  return { status: 500, headers: [], type: 'text/plain; charset=utf-8', bytes: Buffer.from(why) }
}

function answerOf({ status, headers, bytes }: ApiAnswer): OwnApiAnswer {
  const index = headerOf(headers, 'X-Consul-Index')
  return { status, index, hash: headerOf(headers, 'X-Consul-Contenthash'), text: Buffer.from(bytes).toString('utf8') }
}

/** '' if it is not there. */
function headerOf(headers: readonly string[], name: string): string {
  const at = headers.indexOf(name)
  return at % 2 === 0 ? (headers[at + 1] ?? '') : ''
}
