import { validateHeaderValue } from 'node:http'
import test from 'ava'
import fc from 'fast-check'
import type { ApiAnswer } from '../../src/http/api.ts'
import type { Route } from '../../src/http/route.ts'
import { routes } from '../../src/http/routes/index.ts'
import { isUnprintable, targetOf } from '../../src/http/target.ts'
import { type ApiAgent, type ApiAsked, apiAgent } from '../kit/api-agent.ts'
import { isServerError } from '../kit/server-errors.ts'
import { wildRequest } from '../kit/wild-requests.ts'

/** Another one finds other requests: FUZZ_SEED=7 FUZZ_RUNS=400 ava test/http/fuzz.test.ts */
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 20)
/** Within this, what is gathered to be written together is written. */
const SETTLED_MS = 6_000
/** Texts that tell of the inside of the program. No request has one of these. */
const INTERNAL = /\b(TypeError|RangeError|ReferenceError|undefined)\b|\[object |internal error|broken promise|Cannot read|\.ts:\d/
/** What time brings about by itself, without a request. */
const TIMED = [
  'catalog.register',
  'catalog.deregister',
  'coordinates.update',
  'sessions.expire',
  'sessions.end-lock-delay',
  'connect.report',
]

test('whatever is asked of any endpoint is answered, and what is refused changes nothing', async (t) => {
  t.log(`seed ${SEED}, ${RUNS} requests to each endpoint`)
  const agent = apiAgent(`fuzz ${SEED}`)
  for (const [at, route] of routes.entries()) {
    const property = fc.asyncProperty(wildRequest(route), async (asked) => {
      const wrong = await problem(agent, route, asked)
      if (wrong !== undefined) throw new Error(`${wrong}\n${asked.method} ${asked.url}\n${JSON.stringify(asked.headers)} ${asked.body}`)
    })
    await fc.assert(property, { seed: SEED + at, numRuns: RUNS, includeErrorInReport: true })
  }
  t.deepEqual(agent.errors, [])
})

/** What is wrong with how a request is answered. */
async function problem(agent: ApiAgent, route: Route, asked: ApiAsked): Promise<string | undefined> {
  if (asked.method === 'GET') return answerProblem(agent, route, asked, await agent.ask(asked))
  const before = agent.state()
  agent.proposed()
  const answer = await agent.ask(asked)
  const wrong = answerProblem(agent, route, asked, answer)
  if (wrong !== undefined) return wrong
  if (answer && answer.status < 400) {
    agent.pass(SETTLED_MS)
    return undefined
  }
  const changed = changedTables(before, agent.state())
  if (changed.length === 0) return undefined
  const kinds = agent.proposed()
  const what = `refused, and yet it changed ${changed} by ${kinds}`
  if (!kinds.every((kind) => TIMED.includes(kind))) return what
  // If time has changed it, it does not happen again.
  agent.pass(SETTLED_MS)
  const again = agent.state()
  await agent.ask(asked)
  return changedTables(again, agent.state()).length === 0 ? undefined : what
}

function answerProblem(agent: ApiAgent, route: Route, { method, url }: ApiAsked, answer: ApiAnswer | undefined): string | undefined {
  const [error] = agent.errors
  if (error !== undefined) return error
  if (!answer) return 'not answered'
  const { status, headers, type, bytes } = answer
  const text = bytes.toString()
  const is = `answered ${status} "${text.slice(0, 500)}"`
  if (INTERNAL.test(text)) return is
  if (status >= 500 && !isHealth(route) && !isServerError(route.path, text)) return `${is}, which is not among what Consul answers so`
  if (status >= 400 && text === '' && !mayBeEmpty(method, status, url)) return `${is} without a text`
  for (let at = 0; at < headers.length; at += 2) validateHeaderValue(headers[at] ?? '', headers[at + 1] ?? '')
  if (text !== '' && type === undefined) return `${is} without a content type`
  if (type === 'application/json') JSON.parse(text)
  return undefined
}

/** The status is what is asked for. */
function isHealth({ path }: Route): boolean {
  return path.startsWith('/v1/agent/health/')
}

/** Consul says no more than that something is not there, or that it does not read such a path. */
function mayBeEmpty(method: string, status: number, url: string): boolean {
  if (status === 404 || method === 'HEAD') return true
  const target = targetOf(url)
  return status === 400 && 'path' in target && isUnprintable(target.path)
}

function changedTables(before: ReturnType<ApiAgent['state']>, after: ReturnType<ApiAgent['state']>): string[] {
  return [...after].filter(([name, rows]) => !before.get(name)?.equals(rows)).map(([name]) => name)
}
