import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Device, ProgramOutcome, ProgramRequest, ProgramWork } from '../src/kernel/ports.ts'
import { type Refusal, type Result, refuse } from '../src/kernel/refusal.ts'
import { killGroup, startText } from './probes/program-group.ts'

type Done = (outcome: Result<ProgramOutcome>) => void

/** Programs by their numbers. Those that run when the process exits are killed. */
export function createPrograms(): Device<ProgramRequest, ProgramOutcome> {
  const programs = new Map<number, Program>()
  let count = 0
  const end = (number: number) => {
    programs.get(number)?.end()
    programs.delete(number)
  }
  process.on('exit', () => {
    for (const program of programs.values()) program.end()
  })
  return {
    perform(request, done) {
      switch (request.do) {
        case 'start': {
          const number = ++count
          return start(number, request.work, (started) => {
            if (started instanceof Program) programs.set(number, started)
            done(started instanceof Program ? { ...NOTHING, program: number } : started)
          })
        }
        case 'read': {
          const program = programs.get(request.program)
          if (!program) return done(refuse('missing', `there is no program ${request.program}`))
          return program.read(request, (outcome) => {
            if ('exitCode' in outcome && outcome.exitCode !== undefined) programs.delete(request.program)
            done(outcome)
          })
        }
        case 'end':
          end(request.program)
          return done({ ...NOTHING, program: request.program })
        case 'end-all':
          for (const number of [...programs.keys()]) end(number)
          return done(NOTHING)
      }
    },
  }
}

const NOTHING: ProgramOutcome = { program: 0, output: Buffer.alloc(0), exitCode: undefined }
/** More than this is not taken from a program that is read too slowly. */
const WAITING_BYTES_MAX = 65_536
const EXIT_BY_SIGNAL = -1

type Child = ChildProcessByStdio<null, Readable, Readable>
type Reading = { bytesMax: number; done: Done; settle: NodeJS.Timeout | undefined; settleMs: number; wait: NodeJS.Timeout }

class Program {
  readonly #number: number
  readonly #child: Child
  readonly #remove: () => void
  #waiting: Buffer = Buffer.alloc(0)
  #exitCode: number | undefined
  #reading: Reading | undefined

  constructor(number: number, child: Child, remove: () => void) {
    this.#number = number
    this.#child = child
    this.#remove = remove
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => this.#add(chunk))
    // Comes once both outputs are closed too.
    child.on('close', (code) => {
      this.#exitCode = code ?? EXIT_BY_SIGNAL
      this.#remove()
      this.#look()
    })
  }

  read({ bytesMax, settleMs, waitMs }: Extract<ProgramRequest, { do: 'read' }>, done: Done): void {
    if (this.#reading) return done(refuse('conflict', `program ${this.#number} is being read`))
    this.#reading = { bytesMax, done, settleMs, settle: undefined, wait: setTimeout(() => this.#hand(), waitMs) }
    this.#look()
  }

  end(): void {
    if (this.#exitCode === undefined) killGroup(this.#child)
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.destroy()
    this.#remove()
    this.#finish(refuse('gone', `program ${this.#number} was ended`))
  }

  #add(chunk: Buffer): void {
    this.#waiting = Buffer.concat([this.#waiting, chunk])
    if (this.#waiting.length >= WAITING_BYTES_MAX) for (const stream of [this.#child.stdout, this.#child.stderr]) stream.pause()
    this.#look()
  }

  #look(): void {
    const reading = this.#reading
    if (!reading) return
    if (this.#exitCode !== undefined || this.#waiting.length >= reading.bytesMax) this.#hand()
    else if (this.#waiting.length > 0) reading.settle ??= setTimeout(() => this.#hand(), reading.settleMs)
  }

  #hand(): void {
    if (!this.#reading) return
    const output = this.#waiting.subarray(0, this.#reading.bytesMax)
    this.#waiting = this.#waiting.subarray(output.length)
    if (this.#waiting.length < WAITING_BYTES_MAX) for (const stream of [this.#child.stdout, this.#child.stderr]) stream.resume()
    const exitCode = this.#waiting.length === 0 ? this.#exitCode : undefined
    // What travels must not be a view of something larger.
    this.#finish({ program: this.#number, output: Buffer.from(output), exitCode })
  }

  #finish(outcome: Result<ProgramOutcome>): void {
    const reading = this.#reading
    if (!reading) return
    this.#reading = undefined
    clearTimeout(reading.settle)
    clearTimeout(reading.wait)
    reading.done(outcome)
  }
}

/** Calls `then` once it runs or is known not to. */
function start(number: number, work: ProgramWork, then: (started: Program | Refusal) => void): void {
  const { args, remove } = arrange(work)
  const [program = '', ...rest] = args
  if (program === '') return then(refuse('invalid', 'there is no program to run'))
  if (args.some((arg) => arg.includes('\0'))) return then(refuse('invalid', 'a program and its arguments must not have NUL characters'))
  const child = spawn(program, rest, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return
    remove()
    then(refuse('invalid', startText(program, error)))
  })
  if (child.pid !== undefined) then(new Program(number, child, remove))
}

/** What is to be run, and what removes its file afterwards. */
function arrange(work: ProgramWork): { args: readonly string[]; remove: () => void } {
  const shell = process.env['SHELL'] || '/bin/sh'
  const nothing = () => undefined
  if ('args' in work) return { args: work.args, remove: nothing }
  if ('line' in work) return { args: [shell, '-c', work.line], remove: nothing }
  const directory = mkdtempSync(join(tmpdir(), 'tribune-script-'))
  const path = join(directory, 'script')
  writeFileSync(path, Buffer.from(work.scriptBase64, 'base64'), { mode: 0o700 })
  return { args: [shell, '-c', path], remove: () => rmSync(directory, { recursive: true, force: true }) }
}
