import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { formatDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { HttpClient } from './http.ts'
import type { Io } from './io.ts'
import { tarOf } from './tar.ts'

const DURATION_MS_MIN = 10_000
const INTERVAL_MS_MIN = 5_000
const DURATION_MS = 120_000
const INTERVAL_MS = 30_000
/** In the order in which they are listed. */
const TARGETS = ['metrics', 'logs', 'pprof', 'host', 'agent', 'cluster']
const STATIC_PATHS: Readonly<Record<string, string>> = { host: '/v1/agent/host', agent: '/v1/agent/self', cluster: '/v1/agent/members' }

export const debugCommand = defineApiCommand({
  summary: 'Record for a while what an agent does, for whoever looks for a fault',
  usage: 'debug [options]',
  about: `
Records facts about the agent and its machine, and in intervals its metrics, its log at the lowest level and, if it has enable_debug, profiles for Chrome's developer tools. The archive may hold what is confidential: look into it before you give it away.

    $ tribune debug -duration=1m -interval=10s
`,
  answers: 'agent',
  flags: {
    archive: { kind: 'boolean', about: 'Make one .tar.gz of everything, which is the default. With =false it stays a folder.' },
    capture: { kind: 'strings', about: `Only record this: ${TARGETS.join(', ')}. May be repeated.` },
    duration: { kind: 'duration', about: 'How long to record: 2m0s if not given, at least 10s.' },
    interval: { kind: 'duration', about: 'How long each part of the recording is: 30s if not given, at least 5s.' },
    output: { kind: 'string', about: 'Name of the archive or folder, without an ending. The default is consul-debug-<seconds>.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const durationMs = flags.duration ?? DURATION_MS
    const intervalMs = flags.interval ?? INTERVAL_MS
    if (durationMs < DURATION_MS_MIN)
      return fail(`Capture validation failed: duration must be longer than ${formatDuration(DURATION_MS_MIN)}`)
    if (intervalMs < INTERVAL_MS_MIN)
      return fail(`Capture validation failed: interval must be longer than ${formatDuration(INTERVAL_MS_MIN)}`)
    if (durationMs < intervalMs) {
      return fail(
        `Capture validation failed: duration (${formatDuration(durationMs)}) must be longer than interval (${formatDuration(intervalMs)})`,
      )
    }
    const wanted = flags.capture ?? TARGETS
    const unknown = wanted.find((target) => !TARGETS.includes(target))
    if (unknown !== undefined) return fail(`Capture validation failed: unknown target ${JSON.stringify(unknown)}`)
    const output = flags.output ?? `consul-debug-${Math.floor(Date.now() / 1_000)}`
    const isArchive = flags.archive ?? true
    const file = isArchive ? `${output}.tar.gz` : output
    if (existsSync(file)) return fail(`Capture validation failed: output ${isArchive ? 'file' : 'directory'} already exists: ${file}`)
    const self = await http.json<Self>('/v1/agent/self')
    if (isRefused(self))
      return fail(`Capture validation failed: error querying target agent: ${self.why}. verify connectivity and agent address`)
    const targets = TARGETS.filter((target) => wanted.includes(target))
    const profiles = targets.includes('pprof') && self.value.DebugConfig['EnableDebug'] === true
    if (targets.includes('pprof') && !profiles)
      io.err('[WARN] Unable to capture pprof. Set enable_debug to true on target agent to enable profiling.')
    io.out('==> Starting debugger and capturing static information...')
    for (const [name, value] of [
      ['Agent Version', self.value.Config.Version],
      ['Interval', formatDuration(intervalMs)],
      ['Duration', formatDuration(durationMs)],
      ['Output', file],
      ['Capture', targets.join(', ')],
    ]) {
      io.out(`${String(name).padStart(18)}: '${value}'`)
    }
    const files = await recorded(http, io, { targets, profiles, durationMs, intervalMs, version: self.value.Config.Version })
    const wrong = kept(files, output, file, isArchive)
    if (wrong !== undefined) return fail(`Error creating debug archive: ${wrong}`)
    io.out(`${isArchive ? '    Saved debug archive' : 'Saved debug directory'}: ${file}`)
    return 0
  },
})

type Self = { Config: { Version: string }; DebugConfig: Record<string, unknown> }
type Recording = { targets: readonly string[]; profiles: boolean; durationMs: number; intervalMs: number; version: string }
type Recorded = { path: string; bytes: Buffer }

async function recorded(http: HttpClient, io: Io, recording: Recording): Promise<Recorded[]> {
  const { targets, durationMs, intervalMs, version } = recording
  const files: Recorded[] = []
  const index = { version: 1, agentVersion: version, intervalSeconds: intervalMs / 1_000, durationSeconds: durationMs / 1_000, targets }
  files.push({ path: 'index.json', bytes: Buffer.from(JSON.stringify(index)) })
  for (const [target, path] of Object.entries(STATIC_PATHS)) {
    if (targets.includes(target)) files.push(...(await asked(http, io, path, `${target}.json`)))
  }
  const count = Math.floor(durationMs / intervalMs)
  for (let number = 0; number < count && !io.signal?.aborted; number++) {
    const beganAt = new Date()
    io.out(`==> Beginning capture interval ${goDate(beganAt)} (${number})`)
    files.push(...(await interval(http, io, recording, String(Math.floor(beganAt.getTime() / 1_000)))))
    io.out(`==> Capture successful ${goDate(new Date())} (${number})`)
  }
  return files
}

/** Everything that is recorded over one interval, which takes that long. */
async function interval(http: HttpClient, io: Io, { targets, profiles, intervalMs }: Recording, folder: string): Promise<Recorded[]> {
  const over = AbortSignal.any([AbortSignal.timeout(intervalMs), ...(io.signal ? [io.signal] : [])])
  const seconds = String(intervalMs / 1_000)
  const parts = await Promise.all([
    targets.includes('logs') ? log(http, over, `${folder}/consul.log`) : [],
    targets.includes('metrics') ? asked(http, io, '/v1/agent/metrics', `${folder}/metrics.json`) : [],
    profiles ? asked(http, io, '/debug/pprof/profile', `${folder}/profile.cpuprofile`, { seconds }) : [],
    profiles ? asked(http, io, '/debug/pprof/heap', `${folder}/heap.heapprofile`, { seconds }) : [],
    pause(intervalMs, undefined, { signal: over, ref: true }).catch(() => undefined),
  ])
  return parts.flatMap((part) => part ?? [])
}

async function log(http: HttpClient, signal: AbortSignal, path: string): Promise<Recorded[]> {
  const pieces: Buffer[] = []
  await http.request('GET', '/v1/agent/monitor', { params: { loglevel: 'trace' }, take: (piece) => pieces.push(piece), signal })
  return [{ path, bytes: Buffer.concat(pieces) }]
}

async function asked(http: HttpClient, io: Io, from: string, path: string, params: Record<string, string> = {}): Promise<Recorded[]> {
  const reply = await http.request('GET', from, { params })
  if (!isRefused(reply)) return [{ path, bytes: reply.body }]
  io.err(`Error capturing ${path}: ${reply.why}`)
  return []
}

/** Writes what was recorded; the answer says why that did not work. */
function kept(files: readonly Recorded[], output: string, file: string, isArchive: boolean): string | undefined {
  try {
    if (isArchive) {
      const named = files.map(({ path, bytes }) => ({ path: `${output.split('/').at(-1)}/${path}`, bytes }))
      writeFileSync(file, gzipSync(tarOf(named, Date.now())), { mode: 0o600, flag: 'wx' })
      return undefined
    }
    for (const { path, bytes } of files) {
      mkdirSync(dirname(join(output, path)), { recursive: true })
      writeFileSync(join(output, path), bytes, { mode: 0o600 })
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** As Go prints a time. */
function goDate(date: Date): string {
  return `${date.toISOString().replace('T', ' ').replace('Z', '')} +0000 UTC`
}
