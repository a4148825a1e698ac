import type { Config } from '../../src/config/config.ts'
import type { EdgeContext } from '../../src/http/context.ts'
import type { EdgeSettings, HttpReply, HttpRequest, Question, Route } from '../../src/http/route.ts'
import { createRouter } from '../../src/http/router.ts'
import { routes } from '../../src/http/routes/index.ts'
import type { Ref } from '../../src/kernel/protocol.ts'
import { isRefused, type Refusal } from '../../src/kernel/refusal.ts'
import type { View } from '../../src/kernel/tables.ts'

export const settings: EdgeSettings = {
  node: 'n1',
  datacenter: 'dc1',
  defaultWaitMs: 300_000,
  maxWaitMs: 600_000,
  kvValueBytesMax: 524_288,
  useCache: true,
  discoveryMaxStaleMs: 0,
  coordinates: true,
  chance: () => 0,
  threads: [['main', 'state', 'edge', 'mesh']],
}

/** What the API needs of a configuration. */
export const apiConfig = {
  node: { name: 'n1' },
  datacenter: 'dc1',
  query: { defaultQueryTimeMs: 300_000, maxQueryTimeMs: 600_000, discoveryMaxStaleMs: 0 },
  limits: { kvMaxValueSize: 100, txnMaxReqLen: 100, httpMaxConnsPerClient: 0 },
  http: {
    blockEndpoints: [],
    allowWriteHttpFrom: [],
    allowHosts: [],
    disableUnprintableCharFilter: false,
    responseHeaders: {},
    maxHeaderBytes: 0,
    useCache: true,
  },
  acl: { defaultPolicy: 'allow' },
  devMode: false,
  keys: {},
} as unknown as Config

const find = createRouter(routes)

/** A request to an endpoint, found as the server finds it. A body that is no text is sent as JSON. */
export function requested(method: string, url: string, body: unknown = ''): { route: Route; request: HttpRequest } {
  const { pathname, searchParams } = new URL(url, 'http://agent')
  const found = find(method, pathname)
  if (!found || !('route' in found)) throw new Error(`no endpoint for ${method} ${pathname}`)
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const request = {
    method,
    path: pathname,
    rest: decodeURIComponent(found.rest),
    query: searchParams,
    headers: {},
    body: bytes,
    token: '',
    from: '127.0.0.1',
  }
  return { route: found.route, request }
}

/** What a read answers from these tables. */
export function read(view: View, url: string): HttpReply & { index?: number } {
  const { route, request } = requested('GET', url)
  if (!('read' in route)) throw new Error(`${url} is no read`)
  const reply = route.read(request, view, settings)
  if (isRefused(reply)) throw new Error(`refused: ${reply.why}`)
  return reply
}

/** What is asked of an actor for a request, or what is answered without asking. */
export function asked(method: string, url: string, body: unknown = ''): Question | Refusal | HttpReply {
  const { route, request } = requested(method, url, body)
  if (!('ask' in route)) throw new Error(`${url} asks nobody`)
  return route.ask(request, settings)
}

/** What an endpoint answers when actors answer as given, by the name of the call, or by `actor/name` for one of them; a function is
 * given the request. Feeds give their one value. */
export async function run(
  method: string,
  url: string,
  answers: Record<string, unknown>,
  headers: Record<string, string> = {},
  body: unknown = '',
): Promise<HttpReply | Refusal> {
  const { route, request: plain } = requested(method, url, body)
  const request = { ...plain, headers }
  if ('read' in route) throw new Error(`${url} asks nobody`)
  if ('ask' in route) {
    const question = route.ask(request, settings)
    return 'to' in question ? route.reply(answers[question.name] as never, request, settings) : question
  }
  type Wanted = (value: unknown, index: number) => boolean
  const nameIn = ({ actor }: { actor: string }, name: string) => (`${actor}/${name}` in answers ? `${actor}/${name}` : name)
  const found = (to: Ref, given: string, wanted: Wanted) => {
    const name = nameIn(to, given)
    return name in answers && wanted(answers[name], 1) ? { value: answers[name], index: 1 } : undefined
  }
  const context = {
    settings,
    asked(to: Ref, name: string, request: unknown) {
      const answer = answers[nameIn(to, name)]
      return Promise.resolve(typeof answer === 'function' ? answer(request) : answer)
    },
    awaited: (to: Ref, name: string, _request: unknown, wanted: Wanted) => Promise.resolve(found(to, name, wanted)),
    untilFound: (to: Ref, name: string, _request: unknown, wanted: Wanted, _withinMs: number, done: (value: unknown) => void) =>
      done(found(to, name, wanted)),
  } as unknown as EdgeContext
  return 'begin' in route ? new Promise((resolve) => route.begin(request, context, resolve)) : route.run(request, context)
}
