import type { IncomingMessage, ServerResponse } from 'node:http'
import { Session } from 'node:inspector/promises'
import { getHeapSnapshot } from 'node:v8'

const SECONDS_DEFAULT = 30
const SECONDS_MAX = 600
const PREFIX = '/debug/pprof/'

/** Profiles of the thread that answers, for Chrome's developer tools. Only with `enable_debug`, because they slow it down. */
export type Profiles = {
  /** Answers the request if it asks for one. */
  take(message: IncomingMessage, response: ServerResponse): boolean
}

export function createProfiles({ enabled, failed }: { enabled: boolean; failed: (error: Error) => void }): Profiles {
  return {
    take(message, response) {
      const { url = '/', method } = message
      if (!url.startsWith(PREFIX)) return false
      if (!enabled) answer(response, 401, 'ACL support disabled')
      else if (method !== 'GET') answer(response, 405, `method ${method} not allowed`)
      else {
        const { pathname, searchParams } = new URL(url, 'http://agent')
        give(pathname.slice(PREFIX.length), searchParams, response).catch((error: Error) => {
          failed(error)
          response.destroy()
        })
      }
      return true
    },
  }
}

const KINDS: Readonly<Record<string, string>> = {
  cmdline: 'the command line of the agent',
  heap: 'what was allocated in so many ?seconds= (5), as a .heapprofile',
  heapsnapshot: 'everything on the heap, as a .heapsnapshot; the thread stands still meanwhile',
  profile: 'where the time of so many ?seconds= (30) went, as a .cpuprofile',
}
const HEAP_SECONDS_DEFAULT = 5

async function give(kind: string, query: URLSearchParams, response: ServerResponse): Promise<void> {
  if (kind === '')
    return answer(
      response,
      200,
      Object.entries(KINDS)
        .map(([name, about]) => `${name.padEnd(14)}${about}\n`)
        .join(''),
    )
  if (kind === 'cmdline') return answer(response, 200, process.argv.join('\0'))
  if (kind === 'heapsnapshot') {
    response.writeHead(200, { 'Content-Type': 'application/json' })
    return void getHeapSnapshot().pipe(response)
  }
  if (kind !== 'profile' && kind !== 'heap') return answer(response, 404, `there are no profiles of the kind ${JSON.stringify(kind)}`)
  const seconds = secondsOf(query.get('seconds'), kind === 'heap' ? HEAP_SECONDS_DEFAULT : SECONDS_DEFAULT)
  if (seconds === undefined) return answer(response, 400, `seconds must be a number from 0 to ${SECONDS_MAX}`)
  const profile = await (kind === 'profile' ? cpuProfile : heapProfile)(seconds, response)
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(profile))
}

function secondsOf(text: string | null, unless: number): number | undefined {
  if (text === null || text === '') return unless
  const seconds = Number(text)
  return seconds >= 0 && seconds <= SECONDS_MAX ? seconds : undefined
}

async function cpuProfile(seconds: number, response: ServerResponse): Promise<unknown> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.start')
    await passed(seconds, response)
    const { profile } = await session.post('Profiler.stop')
    return profile
  } finally {
    session.disconnect()
  }
}

async function heapProfile(seconds: number, response: ServerResponse): Promise<unknown> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.startSampling')
    await passed(seconds, response)
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return profile
  } finally {
    session.disconnect()
  }
}

/** The time is over, or the client went away. */
function passed(seconds: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1_000)
    response.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(text)
}
