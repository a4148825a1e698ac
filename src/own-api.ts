import { type Api, type ApiAnswer, type ApiOptions, createApi } from './http/api.ts'
import type { Device, OwnApiAnswer, OwnApiRequest } from './kernel/ports.ts'
import { type Refusal, refuse } from './kernel/refusal.ts'

const NOTHING: OwnApiAnswer = { status: 204, index: '', hash: '', text: '' }
const NO_BODY = Buffer.alloc(0)

/** The HTTP API of an edge thread as a device of its own actors: what they ask takes the way of any request, without a socket. */
export function ownApi(options: () => ApiOptions): Device<OwnApiRequest, OwnApiAnswer> {
  let api: Api | undefined
  const waiting = new Map<string, () => void>()
  function forget(asker: string): void {
    const giveUp = waiting.get(asker)
    waiting.delete(asker)
    giveUp?.()
  }
  return {
    perform(request, done) {
      const { asker } = request
      forget(asker)
      if (request.do === 'forget') return done(NOTHING)
      api ??= create(options())
      let isOver = false
      const finish = (answer: OwnApiAnswer | Refusal) => {
        if (isOver) return
        isOver = true
        done(answer)
      }
      const headers = request.token === '' ? {} : { 'x-consul-token': request.token }
      const asked = { method: 'GET', url: request.url, headers, from: '127.0.0.1', readBody: noBody }
      const stop = api.handle(asked, (answer) => {
        waiting.delete(asker)
        finish(answerOf(answer))
      })
      if (isOver) return
      waiting.set(asker, () => {
        stop()
        finish(refuse('gone', 'its asker asked for something else'))
      })
    },
  }
}

/** Answers on one line, in dev mode too. */
function create(options: ApiOptions): Api {
  return createApi({ ...options, config: { ...options.config, devMode: false } })
}

function noBody(_bytesMax: number, done: (body: Buffer) => void): void {
  done(NO_BODY)
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
