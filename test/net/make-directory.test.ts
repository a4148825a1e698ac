import { spawnSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { makeDirectory } from '../../net/make-directory.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const PROCESS = fileURLToPath(new URL('./tables-process.ts', import.meta.url))
const ENDLESS_MS = 10_000

test('the topmost directory that was made is named, and nothing if all were there', (t) => {
  const directory = temporaryDirectory(t)
  const deep = join(directory, 'a', 'b', 'c')
  t.is(makeDirectory(deep, 0o700), join(directory, 'a'))
  for (const made of [deep, join(directory, 'a')]) t.is(statSync(made).mode & 0o777, 0o700)
  t.is(makeDirectory(deep), undefined)
  t.is(makeDirectory(join(deep, 'd')), join(deep, 'd'))
})

test('what is in the way is named', (t) => {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'file')
  writeFileSync(file, 'x')
  for (const path of [file, join(file, 'below')])
    t.like(
      t.throws(() => makeDirectory(path)),
      { code: 'EEXIST', path: file },
    )
})

// Each in a process that can be ended: one that does not come back would take the test along.
for (const [path, why] of [
  ['/proc/x', 'cannot be made: the folder /proc takes no new ones'],
  ['/proc/x/y', 'cannot be made: the folder /proc takes no new ones'],
] as const) {
  test(`a data directory ${path} is refused, not waited for`, (t) => {
    const { stdout, signal } = spawnSync(process.execPath, [PROCESS, 'hold', path], { timeout: ENDLESS_MS, encoding: 'utf8', input: '' })
    t.is(signal, null)
    t.is(stdout, `failed data directory ${path} ${why}\n`)
  })
}
