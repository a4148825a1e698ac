import { isRefused, type Result } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { FlagsOf, FlagTable } from './command.ts'
import { type Asked, type Job, type Replies, remoteJob } from './exec-job.ts'
import type { HttpClient } from './http.ts'
import type { Io } from './io.ts'
import { pause } from './lock-session.ts'

const execFlags = {
  node: { kind: 'string', about: 'Only nodes whose names have a part that fits this regular expression.' },
  prefix: {
    kind: 'string',
    about: 'Where the job and its results are kept for the while, in the key/value store. The default is "_rexec".',
  },
  service: { kind: 'string', about: 'Only nodes with an instance of a service that fits this regular expression.' },
  shell: { kind: 'boolean', about: 'Run the command through a shell. The default is true.' },
  tag: { kind: 'string', about: 'Only nodes with an instance that has a tag that fits this regular expression. Needs -service.' },
  verbose: { kind: 'boolean', about: 'Say what is being done.' },
  wait: { kind: 'duration', about: 'How long nothing may come back before it counts as all. The default is 2s.' },
  'wait-repl': {
    kind: 'duration',
    about: 'How long to wait until all servers know of the job, before it is announced. The default is 200ms.',
  },
} as const satisfies FlagTable

const PREFIX = '_rexec'
const WAIT_MS = 2_000
const WAIT_REPLICATION_MS = 200
const EXIT_REMOTE_FAILED = 2

export const execCommand = defineApiCommand({
  summary: 'Run a command on many nodes',
  usage: 'exec [options] [-|COMMAND...]',
  about: `
Runs a command on all nodes, or on those that fit every flag, and prints what it says there. With "-" it is a script from standard input. The exit code is 2 if it failed on a node or a node did not finish.

    $ tribune exec -service=web uptime

Only agents that allow it take part, and the others are not counted: whoever may use events and the key/value store can run anything on them. An agent allows it if its configuration has "disable_remote_exec" as false.
`,
  answers: 'servers',
  flags: execFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    if (flags.tag && !flags.service) return misused('Cannot provide tag filter without service filter.')
    const work = await workOf(rest, flags.shell ?? true, io)
    if ('problem' in work) return misused(work.problem)
    const agent = await http.json<{ Config?: Asked }>('/v1/agent/self')
    if (isRefused(agent)) return fail(`Error querying Consul agent: ${agent.why}`)
    const waitMs = flags.wait ?? WAIT_MS
    const say = (line: string) => flags.verbose && io.out(line)
    const job = await remoteJob(http, (flags.prefix ?? PREFIX).replace(/\/+$/, ''), agent.value.Config)
    if (isRefused(job)) return fail(`Failed to create session: ${job.why}`)
    say(`Created remote execution session: ${job.id}`)
    try {
      const uploaded = await job.upload({ ...work, Wait: waitMs * NS_PER_MS })
      if (isRefused(uploaded)) return fail(`Failed to create job spec: ${uploaded.why}`)
      say('Uploaded remote execution spec')
      const stop = io.signal ?? new AbortController().signal
      await pause(flags['wait-repl'] ?? WAIT_REPLICATION_MS, stop)
      const fired = await fire(http, job, flags)
      if (isRefused(fired)) return fail(`Failed to fire event: ${fired.why}`)
      say(`Fired remote execution event: ${fired.value}`)
      return await collect(job, { waitMs, verbose: flags.verbose ?? false, io, stop, fail })
    } finally {
      await job.close()
    }
  },
})

const NS_PER_MS = 1_000_000

/** `Script` is base64. */
type Work = { Command: string } | { Script: string } | { Args: readonly string[] }

async function workOf(args: readonly string[], shell: boolean, io: Io): Promise<Work | { problem: string }> {
  const command = args.join(' ')
  if (command === '-') {
    if (!shell) return { problem: 'Cannot configure -shell=false when reading from stdin' }
    const script = await io.stdin()
    return script.length === 0 ? { problem: 'Must specify a command to execute' } : { Script: script.toString('base64') }
  }
  if (command === '') return { problem: 'Must specify a command to execute' }
  return shell ? { Command: command } : { Args: args }
}

async function fire(http: HttpClient, job: Job, flags: FlagsOf<typeof execFlags>): Promise<Result<{ value: string }>> {
  const params = { node: flags.node || undefined, service: flags.service || undefined, tag: flags.tag || undefined }
  const reply = await http.request('PUT', '/v1/event/fire/_rexec', { params, body: { Prefix: job.prefix, Session: job.id } })
  if (isRefused(reply)) return reply
  // The shape is the API's promise.
  return { value: (JSON.parse(reply.body.toString('utf8')) as { ID: string }).ID }
}

type Collecting = { waitMs: number; verbose: boolean; io: Io; stop: AbortSignal; fail(why: string): number }

/**
 * Prints what comes back until nothing has for a while; where nodes are still at work, for twice as long, since they give a sign of life,
 * a piece without content, only once in that time. Answers the exit code.
 */
async function collect(job: Job, { waitMs, verbose, io, stop, fail }: Collecting): Promise<number> {
  const say = (line: string) => verbose && io.out(line)
  const startedMs = performance.now()
  const acknowledged = new Set<string>()
  const finished = new Set<string>()
  let failed = false
  for (let quietFromMs = startedMs; ; ) {
    const leftMs = quietFromMs + (finished.size < acknowledged.size ? 2 * waitMs : waitMs) - performance.now()
    if (leftMs <= 0) break
    const replies: Result<Replies> = await job.replies(leftMs, stop)
    if (stop.aborted) return 1
    if (isRefused(replies)) return fail(`Failed to query job results: ${replies.why}`)
    for (const { node, what, text } of replies.news) {
      quietFromMs = performance.now()
      if (what === 'ack') {
        acknowledged.add(node)
        say(`==> ${node}: acknowledged`)
      } else if (what === 'exit') {
        finished.add(node)
        failed ||= text !== '0'
        io.out(`==> ${node}: finished with exit code ${text}`)
      } else if (what === 'out' && text === '') say(`==> ${node}: heartbeat received`)
      else if (what === 'out') for (const line of text.split('\n')) io.out(`    ${node}: ${line}`.trimEnd())
    }
  }
  io.out(`${finished.size} / ${acknowledged.size} node(s) completed / acknowledged`)
  say(`Completed in ${((performance.now() - startedMs) / 1_000).toFixed(2)} seconds`)
  return failed || finished.size < acknowledged.size ? EXIT_REMOTE_FAILED : 0
}
