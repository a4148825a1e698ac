import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { diskRefusal } from '../../net/lmdb.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { type Running, run } from './processes-kit.ts'

const BLOB_BYTES = 50_000

/** Ways to have a disk that is soon full. A disk of its own needs a system that lets this user make one. */
type SmallDisk = {
  name: string
  /** A shell line that runs `"$@"`. */
  wrapped(directory: string): string
  fill(child: Running): unknown
  free(child: Running): unknown
}

const ownDisk: SmallDisk = {
  name: 'a disk of 3 MB',
  wrapped: (directory) => `exec unshare -rm sh -c 'mount -t tmpfs -o size=3m none ${directory} && exec "$@"' sh "$@"`,
  fill: (child) => child.ask('fill 1500000'),
  free: (child) => child.ask('free'),
}
const fileLimit: SmallDisk = {
  name: 'a limit of 2 MB a file',
  wrapped: () => 'ulimit -S -f 4096; exec "$@"',
  fill: () => undefined,
  free: (child) => execFileSync('prlimit', ['--pid', `${child.process.pid}`, '--fsize=unlimited']),
}
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0

const disks = canMount ? [ownDisk, fileLimit] : [fileLimit]
const obeying = ['obey', 'obey-later'] as const

for (const [disk, obey] of disks.flatMap((disk) => obeying.map((obey) => [disk, obey] as const))) {
  const name = obey === 'obey' ? disk.name : `${disk.name}, with checkpoints`
  test(`${name}: a full disk refuses writes, keeps what was acknowledged, serves reads, and takes writes again when there is room`, async (t) => {
    const directory = temporaryDirectory(t)
    const child = run(obey, join(directory, 'data'), disk.wrapped(directory))
    t.teardown(child.kill)
    t.is(await child.line(), 'open')
    await disk.fill(child)

    const kept = await writeUntilFull(t, child, 'a')
    t.true(kept.length > 5)
    const expected = kept.map((key) => `${key}:${BLOB_BYTES}`).sort()
    t.deepEqual((await child.ask('read'))?.split(' ').sort(), expected)
    for (let n = 0; n < 20; n++) t.regex((await child.ask(`write b${n} ${BLOB_BYTES}`)) ?? '', /^refused busy: disk full: no room in /)
    t.deepEqual((await child.ask('read'))?.split(' ').sort(), expected)

    await disk.free(child)
    t.is(await child.ask(`write c ${BLOB_BYTES}`), 'done')
    t.true((await child.ask('read'))?.includes(`c:${BLOB_BYTES}`))
  })

  test(`${name}: a full disk can be emptied, and then takes new records`, async (t) => {
    const directory = temporaryDirectory(t)
    const child = run(obey, join(directory, 'data'), disk.wrapped(directory))
    t.teardown(child.kill)
    t.is(await child.line(), 'open')
    const kept = await writeUntilFull(t, child, 'a')
    for (const key of kept) t.is(await child.ask(`delete ${key}`), 'done')
    t.is(await child.ask('read'), '')
    t.is(await child.ask('write new 1000'), 'done')
    t.is(await child.ask(`write long ${BLOB_BYTES}`), 'done')
  })

  test(`${name}: free pages that lie scattered are no room for a long value`, async (t) => {
    const directory = temporaryDirectory(t)
    const child = run(obey, join(directory, 'data'), disk.wrapped(directory))
    t.teardown(child.kill)
    t.is(await child.line(), 'open')
    const kept: string[] = []
    for (let n = 0; (await child.ask(`write s${n} 3000`)) === 'done'; n++) kept.push(`s${n}`)
    const [gone, left] = [kept.filter((_key, n) => n % 2 === 0), kept.filter((_key, n) => n % 2 === 1)]
    for (const key of gone) t.is(await child.ask(`delete ${key}`), 'done')
    for (let n = 0; n < 10; n++) t.regex((await child.ask(`write long${n} ${BLOB_BYTES}`)) ?? '', /^refused busy: disk full: no room in /)
    t.is(await child.ask('write short 3000'), 'done')
    t.deepEqual((await child.ask('read'))?.split(' ').sort(), [...left, 'short'].map((key) => `${key}:3000`).sort())
    for (const key of left) t.is(await child.ask(`delete ${key}`), 'done')
    t.is(await child.ask(`write long ${BLOB_BYTES}`), 'done')
  })
}

for (const disk of disks) {
  test(`${disk.name}: the store refuses, keeps and goes on too`, async (t) => {
    const directory = temporaryDirectory(t)
    const child = run('obey', join(directory, 'data'), disk.wrapped(directory))
    t.teardown(child.kill)
    t.is(await child.line(), 'open')
    await disk.fill(child)
    const kept = await writeUntilFull(t, child, 's', 'save')
    for (let n = 0; n < 20; n++) t.regex((await child.ask(`save b${n} ${BLOB_BYTES}`)) ?? '', /^refused busy: disk full: no room in /)
    t.deepEqual((await child.ask('load'))?.split(' ').sort(), kept.toSorted())
    await disk.free(child)
    t.is(await child.ask(`save c ${BLOB_BYTES}`), 'done')
    t.deepEqual((await child.ask('load'))?.split(' ').sort(), [...kept, 'c'].sort())
  })
}

test('a disk that is broken is refused for good, and what is not the disk is not blamed on it', (t) => {
  const failed = diskRefusal(Object.assign(new Error('Input/output error'), { code: 5 }), '/data')
  t.deepEqual(failed, {
    refusal: { refused: 'busy', why: 'disk failed, no more writes until restart: /data: Input/output error' },
    final: true,
  })
  t.like(diskRefusal(Object.assign(new Error('MDB_MAP_FULL'), { code: -30792 }), '/data'), {
    refusal: { refused: 'busy', why: 'disk full: no room in /data' },
    final: false,
  })
  t.is(diskRefusal(new Error('a bug'), '/data'), undefined)
  t.is(diskRefusal(Object.assign(new Error('a bug'), { code: 'ERR_INVALID_ARG_TYPE' }), '/data'), undefined)
})

/** Answers the keys that were acknowledged. */
async function writeUntilFull(t: ExecutionContext, child: Running, name: string, verb = 'write'): Promise<string[]> {
  const kept: string[] = []
  for (let n = 0; n < 200; n++) {
    const answer = await child.ask(`${verb} ${name}${n} ${BLOB_BYTES}`)
    if (answer !== 'done') {
      t.regex(answer ?? 'ended', /^refused busy: disk full: no room in /)
      return kept
    }
    kept.push(`${name}${n}`)
  }
  throw new Error('the disk is not full after 10 MB')
}
