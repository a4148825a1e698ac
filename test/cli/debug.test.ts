import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { tarOf } from '../../src/cli/tar.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

test('an archive is what tar reads', (t) => {
  const path = join(temporaryDirectory(t), 'a.tar')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => {
      writeFileSync(
        path,
        tarOf(
          [
            { path: 'x/first', bytes: Buffer.from('1') },
            { path: 'x/second', bytes: Buffer.from(bytes) },
          ],
          1_700_000_000_000,
        ),
      )
      const listed = execFileSync('tar', ['-tf', path], { encoding: 'utf8' })
      const found = execFileSync('tar', ['-xOf', path, 'x/second'])
      return listed === 'x/first\nx/second\n' && found.equals(Buffer.from(bytes))
    }),
    { numRuns: 10 },
  )
  t.pass()
})

test('what makes no sense is refused before anything is recorded', async (t) => {
  t.is((await runCommand(['debug', '-duration=1s'])).err, 'Capture validation failed: duration must be longer than 10s\n')
  t.is((await runCommand(['debug', '-interval=1s'])).err, 'Capture validation failed: interval must be longer than 5s\n')
  t.regex((await runCommand(['debug', '-capture=x'])).err, /^Capture validation failed: unknown target "x"/)
  const folder = temporaryDirectory(t)
  const there = `Capture validation failed: output directory already exists: ${folder}\n`
  t.is((await runCommand(['debug', '-archive=false', `-output=${folder}`])).err, there)
  writeFileSync(join(folder, 'a.tar.gz'), '')
  t.regex((await runCommand(['debug', `-output=${folder}/a`])).err, /output file already exists: .*\/a\.tar\.gz\n$/)
  const gone = await tryCommand(['debug'], {})
  t.is(gone.code, 1)
  t.regex(gone.err, /^Capture validation failed: error querying target agent: /)
})
