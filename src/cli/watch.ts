import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { shellOf, startChild } from './child.ts'
import { exactJsonText, parseExactJson } from './exact-json.ts'
import type { HttpClient } from './http.ts'
import type { Io } from './io.ts'
import { pause } from './lock-session.ts'
import { type WatchKind, watchKind, watchTypes } from './watch-kinds.ts'

/** How long one look waits for a change. */
const LOOK = '60s'
/** The wait after a failure, times the square of how many there were in a row. */
const RETRY_MS = 5_000
const RETRY_MS_MAX = 180_000

export const watchCommand = defineApiCommand({
  summary: 'Wait for changes and run a program at each',
  usage: 'watch [options] [CHILD...]',
  about: `
Follows a part of what the agent knows, and runs a program with it at the beginning and whenever it changes. The program finds it as JSON on standard input, and its index in CONSUL_INDEX. If the program fails, the watch ends with exit code 1.

    $ tribune watch -type=key -key=config/limit ./reload.sh
    $ tribune watch -type=service -service=web -passingonly ./new-backends.sh

Without a program, it is printed once.

    $ tribune watch -type=nodes

Types are "key" (-key), "keyprefix" (-prefix), "services", "nodes", "service" (-service, -tag, -passingonly), "checks" (-service or -state) and "event" (-name).
`,
  answers: 'servers',
  flags: {
    key: { kind: 'string', about: 'The key to watch. Only for the type "key".' },
    name: { kind: 'string', about: 'Only events of this name. Only for the type "event".' },
    passingonly: { kind: 'boolean', about: 'Only instances whose checks all pass. Only for the type "service".' },
    prefix: { kind: 'string', about: 'The beginning of the keys to watch. Only for the type "keyprefix".' },
    service: { kind: 'string', about: 'The service to watch. Must be given for the type "service"; may be given for "checks".' },
    shell: { kind: 'boolean', about: 'Run the program through a shell: the one in SHELL, or /bin/sh. The default is true.' },
    state: {
      kind: 'string',
      values: ['any', 'critical', 'passing', 'warning'],
      about: 'Only checks with this status. Only for the type "checks".',
    },
    tag: { kind: 'strings', about: 'Only instances with this tag. May be repeated; all must hold. Only for the type "service".' },
    type: { kind: 'string', values: watchTypes, about: 'What to watch. Must be given.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    const { type = '', shell = true, key, name, passingonly, prefix, service, state, tag } = flags
    if (type === '') return misused('Watch type must be specified')
    if (type.startsWith('connect_') || type === 'agent_service') return fail(`Type ${type} is not supported in the CLI tool`)
    const kind = watchKind(type, {
      ...(key !== undefined && { key }),
      ...(name !== undefined && { name }),
      ...(passingonly !== undefined && { passingonly }),
      ...(prefix !== undefined && { prefix }),
      ...(service !== undefined && { service }),
      ...(state !== undefined && { state }),
      ...(tag !== undefined && { tag }),
    })
    if (isRefused(kind)) return fail(kind.why)
    const agent = await http.request('GET', '/v1/agent/self')
    if (isRefused(agent)) return fail(`Error querying Consul agent: ${agent.why}`)
    const stop = io.signal ?? new AbortController().signal
    const changes = follow(http, kind, stop, (why, waitMs) => io.err(`Watch errored: type=${type} error=${why} retry=${waitMs / 1_000}s`))
    for await (const { index, value } of changes) {
      if (rest.length === 0) {
        io.write(exactJsonText(value, { indented: true }))
        return 0
      }
      const failure = await runHandler(shell ? rest.join(' ') : rest, { index, value }, io, stop)
      if (stop.aborted) return 0
      if (failure !== undefined) return fail(`Error executing handler: ${failure}`)
    }
    return 0
  },
})

type Change = { readonly index: string; readonly value: unknown }

/** The value at the beginning and after each change, until `stop`. A failure is said and tried again, later and later. */
async function* follow(
  http: HttpClient,
  kind: WatchKind,
  stop: AbortSignal,
  failed: (why: string, waitMs: number) => void,
): AsyncGenerator<Change> {
  let shown: string | undefined
  let before: unknown
  let index = '0'
  for (let failures = 0; !stop.aborted; ) {
    const found = await look(http, kind, index, stop)
    if (stop.aborted) return
    if (isRefused(found)) {
      failures += 1
      const waitMs = Math.min(RETRY_MS * failures ** 2, RETRY_MS_MAX)
      failed(found.why, waitMs)
      await pause(waitMs, stop)
      continue
    }
    failures = 0
    const isOlder = kind.grows && BigInt(found.index) < BigInt(index)
    index = isOlder ? '0' : found.index
    if (found.text === shown) continue
    const value = kind.value(found.body, before)
    before = found.body
    shown = found.text
    yield { index: found.index, value }
  }
}

type Look = { readonly index: string; readonly text: string; readonly body: unknown }

/** Once it has changed since `index`; at once for '0'. */
async function look(http: HttpClient, { path, params }: WatchKind, index: string, signal: AbortSignal): Promise<Result<Look>> {
  const wait = index === '0' ? {} : { index, wait: LOOK }
  const reply = await http.request('GET', path, { params: { ...params, ...wait }, also: [404], signal })
  if (isRefused(reply)) return reply
  const found = String(reply.headers['x-consul-index'] ?? '')
  if (!/^[1-9]\d*$/.test(found)) return refuse('invalid', `${path} was answered without an index to wait for (${reply.status})`)
  const text = reply.body.toString('utf8')
  if (reply.status === 404) return { index: found, text: '', body: undefined }
  const parsed = parseExactJson(text, path)
  return isRefused(parsed) ? parsed : { index: found, text, body: parsed.value }
}

/** Runs the program to its end and answers why it failed. */
async function runHandler(
  command: string | readonly string[],
  { index, value }: Change,
  io: Io,
  stop: AbortSignal,
): Promise<string | undefined> {
  const text = exactJsonText(value, { indented: false })
  const child = startChild({ command, shell: shellOf(io), stdin: { text }, env: { ...io.env, CONSUL_INDEX: index } })
  stop.addEventListener('abort', child.stop)
  if (stop.aborted) child.stop()
  const failure = await child.ended
  stop.removeEventListener('abort', child.stop)
  return failure
}
