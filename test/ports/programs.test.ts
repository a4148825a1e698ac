import test from 'ava'
import { createPrograms } from '../../net/programs.ts'
import type { Device, ProgramOutcome, ProgramRequest, ProgramWork } from '../../src/kernel/ports.ts'
import { asking, granted, refused } from '../kit/asking.ts'

const LONG_MS = 60_000

type Programs = Device<ProgramRequest, ProgramOutcome>

async function started(programs: Programs, work: ProgramWork): Promise<number> {
  return granted(await asking(programs)({ do: 'start', work })).program
}

function reading(programs: Programs, program: number, given: Partial<Extract<ProgramRequest, { do: 'read' }>> = {}) {
  return asking(programs)({ do: 'read', program, bytesMax: 4_096, settleMs: LONG_MS, waitMs: LONG_MS, ...given })
}

async function ran(work: ProgramWork): Promise<{ output: string; exitCode: number | undefined }> {
  const programs = createPrograms()
  const { output, exitCode } = granted(await reading(programs, await started(programs, work)))
  return { output: Buffer.from(output).toString(), exitCode }
}

test('what a program writes to both outputs comes with its exit code', async (t) => {
  t.deepEqual(await ran({ line: 'echo hi; echo there >&2; exit 3' }), { output: 'hi\nthere\n', exitCode: 3 })
  t.deepEqual(await ran({ args: ['echo', 'a  b', '$HOME'] }), { output: 'a  b $HOME\n', exitCode: 0 })
  t.deepEqual(await ran({ line: 'kill -9 $$' }), { output: '', exitCode: -1 })
})

test('a script is run as a file by itself', async (t) => {
  const script = '#!/bin/sh\necho "$0"\nls "$0"\n'
  const { output, exitCode } = await ran({ scriptBase64: Buffer.from(script).toString('base64') })
  const [path = '', listed] = output.split('\n')
  t.deepEqual([exitCode, listed], [0, path])
  t.is((await ran({ line: `ls ${path}` })).exitCode === 0, false, 'the file is gone')
})

test('what cannot be started says why', async (t) => {
  const start = asking(createPrograms())
  t.like(refused(await start({ do: 'start', work: { args: ['/no/such/program'] } })), {
    refused: 'invalid',
    why: 'fork/exec /no/such/program: no such file or directory',
  })
  t.like(refused(await start({ do: 'start', work: { args: ['no-such-program'] } })), {
    why: 'exec: "no-such-program": executable file not found in $PATH',
  })
  t.like(refused(await start({ do: 'start', work: { args: [] } })), { refused: 'invalid' })
  t.like(refused(await start({ do: 'start', work: { line: 'a\0b' } })), { refused: 'invalid' })
})

test('output comes in pieces of a length, and a program that is not read waits', async (t) => {
  const programs = createPrograms()
  const bytes = 400_000
  const program = await started(programs, { line: `head -c ${bytes} /dev/zero` })
  let read = 0
  for (;;) {
    const { output, exitCode } = granted(await reading(programs, program))
    t.true(output.byteLength <= 4_096)
    read += output.byteLength
    if (exitCode !== undefined) break
    t.is(output.byteLength, 4_096)
  }
  t.is(read, bytes)
  t.like(refused(await reading(programs, program)), { refused: 'missing' })
})

test('a program that says little is heard after a while, and one that says nothing too', async (t) => {
  const programs = createPrograms()
  const program = await started(programs, { line: 'echo hi; exec sleep 600' })
  t.like(granted(await reading(programs, program, { settleMs: 1 })), { output: Buffer.from('hi\n'), exitCode: undefined })
  t.like(granted(await reading(programs, program, { waitMs: 1 })), { output: Buffer.alloc(0), exitCode: undefined })
  await asking(programs)({ do: 'end-all' })
})

test('a program that is ended is killed with all that it started, and forgotten', async (t) => {
  const programs = createPrograms()
  const program = await started(programs, { line: 'sleep 600 & echo $!; wait' })
  const { output } = granted(await reading(programs, program, { bytesMax: 2 }))
  t.true(output.byteLength > 0)
  const waiting = reading(programs, program)
  t.like(refused(await reading(programs, program)), { refused: 'conflict' })
  granted(await asking(programs)({ do: 'end', program }))
  t.like(refused(await waiting), { refused: 'gone' })
  t.like(refused(await reading(programs, program)), { refused: 'missing' })
})
