import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../src/kernel/plain.ts'
import type { DaemonEvent, DaemonOutcome, DaemonProcess, DaemonRequest, Device, KeptDaemon } from '../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../src/kernel/refusal.ts'
import { makeDirectory } from './make-directory.ts'
import { killGroup, startText } from './probes/program-group.ts'
import { isAlive, isSameProcess, processNamed } from './processes.ts'
import { makeTemporaryDirectory } from './temporary-directory.ts'

export type Daemons = Device<DaemonRequest, DaemonOutcome, DaemonEvent> & {
  /** Lets those that may outlive the agent go on; kills the others. */
  close(): void
}

type Start = Extract<DaemonRequest, { do: 'start' }>
type Tell = (event: DaemonEvent) => void
/** `poll` looks again and again at one that an earlier agent started. */
type Running = { process: DaemonProcess; poll?: NodeJS.Timeout; tell: Tell }

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600
const POLL_MS = 1_000
const VERSION = 1

/**
 * Programs under `<dataDirectory>/proxy`: `snapshot.json`, `pids/<id>.pid`, `logs/<id>-stdout.log` and `-stderr.log`. For '' these are in a
 * temporary directory, and the programs end with this process. Characters of an id that are not for file names are percent-encoded.
 */
export function createDaemons(dataDirectory: string): Daemons {
  const running = new Map<string, Running>()
  let made: { directory: string; remove(): void } | undefined
  const place = () => {
    made ??= dataDirectory === '' ? makeTemporaryDirectory() : { directory: dataDirectory, remove: () => undefined }
    return join(made.directory, 'proxy')
  }
  const pathOf = (folder: 'pids' | 'logs', id: string, end: string) =>
    join(place(), folder, `${encodeURIComponent(id.toWellFormed())}${end}`)
  const snapshot = () => join(place(), 'snapshot.json')

  function ended(id: string, one: Running, why: string): void {
    if (running.get(id) !== one) return
    running.delete(id)
    clearInterval(one.poll)
    killGroup(one.process)
    rmSync(pathOf('pids', id, '.pid'), { force: true })
    one.tell({ did: 'ended', pid: one.process.pid, why })
  }

  function start({ id, command, environment }: Start, done: (outcome: Result<DaemonOutcome>) => void, tell: Tell): void {
    const [program = '', ...rest] = command
    if (running.has(id)) return done(refuse('conflict', `${id} runs already`))
    if (program === '') return done(refuse('invalid', 'there is no program to run'))
    if (command.some((part) => part.includes('\0')))
      return done(refuse('invalid', 'a program and its arguments must not have NUL characters'))
    for (const folder of ['pids', 'logs']) makeDirectory(join(place(), folder), DIRECTORY_MODE)
    const outputs = ['-stdout.log', '-stderr.log'].map((end) => openSync(pathOf('logs', id, end), 'a', FILE_MODE))
    const child = spawn(program, rest, { detached: true, env: { ...process.env, ...environment }, stdio: ['ignore', ...outputs] })
    for (const output of outputs) closeSync(output)
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) done(refuse('invalid', startText(program, error)))
    })
    if (child.pid === undefined) return
    child.unref()
    const one: Running = { process: processNamed(child.pid), tell }
    try {
      writeFileSync(pathOf('pids', id, '.pid'), `${child.pid}\n`, { mode: FILE_MODE })
    } catch (error) {
      killGroup(one.process)
      throw error
    }
    running.set(id, one)
    child.once('exit', (code, signal) => ended(id, one, signal ? `ended by ${signal}` : `exit code ${code}`))
    done({ process: one.process })
  }

  function follow(id: string, wanted: DaemonProcess, tell: Tell): Result<DaemonOutcome> {
    const known = running.get(id)
    if (known && isSameProcess(known.process, wanted)) {
      known.tell = tell
      return { process: wanted }
    }
    if (known || isAlive(wanted) !== 'yes') return refuse('missing', `process ${wanted.pid} of ${id} does not run`)
    const one: Running = { process: wanted, tell }
    one.poll = setInterval(() => {
      if (isAlive(wanted) !== 'yes') ended(id, one, 'it has ended; how is known to the agent that started it')
    }, POLL_MS)
    one.poll.unref()
    running.set(id, one)
    return { process: wanted }
  }

  function signal(id: string, name: 'interrupt' | 'kill'): void {
    const one = running.get(id)
    if (!one || isAlive(one.process) !== 'yes') return
    if (name === 'kill') killGroup(one.process)
    else process.kill(one.process.pid, 'SIGINT')
  }

  function keep(daemons: KeptDaemon[]): void {
    makeDirectory(place(), DIRECTORY_MODE)
    const incomplete = `${snapshot()}.new`
    writeFileSync(incomplete, `${JSON.stringify({ Version: VERSION, Proxies: daemons }, undefined, 2)}\n`, { mode: FILE_MODE, flush: true })
    renameSync(incomplete, snapshot())
  }

  function load(): Result<KeptDaemon[]> {
    if (!existsSync(snapshot())) return []
    const kept = keptIn(readFileSync(snapshot(), 'utf8'))
    if (kept === undefined) return refuse('invalid', `${snapshot()} is not a snapshot of proxies that this program reads`)
    return kept.map((one) => (one.process && isAlive(one.process) === 'yes' ? one : { ...one, process: null }))
  }

  const killAll = () => {
    for (const { process: leader } of running.values()) killGroup(leader)
  }
  if (dataDirectory === '') process.on('exit', killAll)

  return {
    perform(request, done, event) {
      try {
        switch (request.do) {
          case 'load': {
            const kept = load()
            return done(isRefused(kept) ? kept : { kept, isRoot: process.getuid?.() === 0 })
          }
          case 'keep':
            keep(request.daemons)
            return done({})
          case 'start':
            return start(request, done, event)
          case 'follow':
            return done(follow(request.id, request.process, event))
          case 'signal':
            signal(request.id, request.signal)
            return done({})
        }
      } catch (error) {
        done(refuse('busy', error instanceof Error ? error.message : String(error)))
      }
    },
    close() {
      for (const { poll } of running.values()) clearInterval(poll)
      if (dataDirectory !== '') return
      killAll()
      process.off('exit', killAll)
      made?.remove()
    },
  }
}

/** Undefined for anything but what `keep` writes. */
function keptIn(text: string): KeptDaemon[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || value['Version'] !== VERSION || !Array.isArray(value['Proxies'])) return undefined
    const list: unknown[] = value['Proxies']
    return list.every(isKept) ? list : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isKept(value: unknown): value is KeptDaemon {
  if (!isObject(value)) return false
  const { id, token, command, process: leader } = value
  const isCommand = Array.isArray(command) && command.every((part) => typeof part === 'string')
  return typeof id === 'string' && typeof token === 'string' && isCommand && (leader === null || isProcess(leader))
}

function isProcess(value: unknown): value is DaemonProcess {
  if (!isObject(value)) return false
  const { pid, started, where } = value
  return Number.isSafeInteger(pid) && Number(pid) > 1 && typeof started === 'string' && typeof where === 'string'
}
