import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test from 'ava'
import { openStore } from '../../net/store.ts'
import { openTables, openTemporaryTables } from '../../net/tables.ts'
import { table } from '../../src/kernel/tables.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { run } from './processes-kit.ts'

const numbers = table<number>('numbers', 1)

test('a directory is made for this user alone, with its parents', (t) => {
  const directory = temporaryDirectory(t)
  const inside = join(directory, 'a', 'data.v1')
  openTables(inside, { durable: true }).close()
  t.is(statSync(inside).mode & 0o777, 0o700)
  for (const file of ['data.mdb', 'lock.mdb', 'format']) t.is(statSync(join(inside, file)).mode & 0o777, 0o600, file)
  t.false(existsSync(join(inside, 'lock')))
})

test('a directory that is missing is only made when that is wanted', (t) => {
  const directory = temporaryDirectory(t)
  const missing = join(directory, 'missing')
  t.throws(() => openTables(missing, { durable: true, create: false }), { message: `data directory ${missing} does not exist` })
  t.throws(() => openTables(missing, { durable: true, readOnly: true }), { message: `data directory ${missing} does not exist` })
  t.false(existsSync(missing))
})

test('what is not a directory of ours is refused and left alone', (t) => {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'file')
  writeFileSync(file, 'x')
  t.throws(() => openTables(file, { durable: true }), { message: `data directory ${file} is not a directory` })
  t.throws(() => openTables(join(file, 'below'), { durable: true }), {
    message: `data directory ${join(file, 'below')} is not a directory`,
  })

  const foreign = join(directory, 'foreign')
  mkdirSync(foreign)
  writeFileSync(join(foreign, 'data.mdb'), 'x')
  t.throws(() => openTables(foreign, { durable: true }), {
    message: `data directory ${foreign} has no file "format", so it was not made by this program`,
  })
  t.is(readFileSync(join(foreign, 'data.mdb'), 'utf8'), 'x')
  t.false(existsSync(join(foreign, 'lock')))
})

test('a directory of another format is refused', (t) => {
  const directory = temporaryDirectory(t)
  openTables(directory, { durable: true }).close()
  writeFileSync(join(directory, 'format'), '2\n')
  const message = `data directory ${directory} has format 2, this program reads format 1`
  t.throws(() => openTables(directory, { durable: true }), { message })
  t.throws(() => openTables(directory, { durable: true, readOnly: true }), { message })
  writeFileSync(join(directory, 'format'), '1\n')
  openTables(directory, { durable: true }).close()
})

test('a directory that this user may not use is refused', async (t) => {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o500)
  // The superuser may use everything, so it becomes somebody else for this.
  const wrapped = process.getuid?.() === 0 ? 'exec setpriv --reuid 65534 --clear-groups "$@"' : 'exec "$@"'
  chmodSync(directory, 0o555)
  const child = run('hold', directory, wrapped)
  t.teardown(child.kill)
  t.regex((await child.line()) ?? '', /^failed data directory \S+ is not permitted to this user/)
})

test('a directory in use by another process is refused, and free again when that is killed', async (t) => {
  const directory = temporaryDirectory(t)
  const holder = run('hold', directory)
  t.teardown(holder.kill)
  t.is(await holder.line(), 'open')
  const message = `data directory ${directory} is in use by process ${holder.process.pid}`
  t.throws(() => openTables(directory, { durable: true }), { message })

  const other = run('hold', directory)
  t.teardown(other.kill)
  t.is(await other.line(), `failed ${message}`)

  // The lock file is gone: the system's lock, which LMDB holds, still tells.
  rmSync(join(directory, 'lock'))
  t.throws(() => openTables(directory, { durable: true }), { message })

  await holder.kill()
  const tables = openTables(directory, { durable: true })
  t.is(tables.view().get(numbers, 'a'), undefined)
  tables.close()
})

test('a lock file of a killed process is replaced, even if another process has its number now', async (t) => {
  const directory = temporaryDirectory(t)
  const killed = run('hold', directory)
  t.is(await killed.line(), 'open')
  await killed.kill()
  const lock = join(directory, 'lock')
  t.true(existsSync(lock))

  const text = readFileSync(lock, 'utf8')
  t.true(text.startsWith(`${killed.process.pid} `))
  // The number of a process that runs (this one's parent), with the start time of one that does not.
  for (const left of [text, text.replace(/^\d+/, `${process.ppid}`), '', 'nonsense\n', text.slice(0, -1)]) {
    writeFileSync(lock, left)
    openTables(directory, { durable: true }).close()
    t.false(existsSync(lock))
  }
})

test('a process of another container is recognised by what it locked, not by its number', async (t) => {
  const directory = temporaryDirectory(t)
  const holder = run('hold', directory)
  t.teardown(holder.kill)
  t.is(await holder.line(), 'open')
  const lock = join(directory, 'lock')
  const inOtherNamespace = readFileSync(lock, 'utf8').replace(/\d+\n$/, '4242\n')
  writeFileSync(lock, inOtherNamespace)
  t.throws(() => openTables(directory, { durable: true }), {
    message: `data directory ${directory} is in use by process ${holder.process.pid}`,
  })
  await holder.kill()
  writeFileSync(lock, inOtherNamespace)
  openTables(directory, { durable: true }).close()
})

test('tables and store of one data directory do not disturb each other, whoever opens first', async (t) => {
  const directory = temporaryDirectory(t)
  const store = openStore(directory)
  const tables = openTables(directory, { durable: true })
  await store.close()
  t.deepEqual([...tables.view().range(numbers)], [])
  const again = openStore(directory)
  tables.close()
  await again.close()
  t.false(existsSync(join(directory, 'local', 'lock')))
})

test('temporary tables leave nothing behind, whether closed, exited or, at the next start, killed', async (t) => {
  const own = openTemporaryTables()
  await new Promise((resolve) => own.transact((tx) => tx.put(numbers, 'a', 1), resolve))
  t.is(own.view().get(numbers, 'a'), 1)
  t.is(statSync(own.directory).mode & 0o777, 0o700)
  own.close()
  t.false(existsSync(own.directory))

  const exits = run('temporary', '')
  const left = (await exits.line()) ?? ''
  t.true(existsSync(left))
  const exited = once(exits.process, 'exit')
  exits.process.stdin!.write('exit\n')
  await exited
  t.false(existsSync(left))

  const killed = run('temporary', '')
  const swept = (await killed.line()) ?? ''
  const runs = run('temporary', '')
  t.teardown(runs.kill)
  const kept = (await runs.line()) ?? ''
  await killed.kill()
  t.true(existsSync(swept))
  t.is(join(tmpdir(), basename(swept)), swept)
  openTemporaryTables().close()
  t.false(existsSync(swept))
  t.true(existsSync(kept))
})
