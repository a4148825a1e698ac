import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { takeFile } from '../../net/take-file.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const taken = (path: string) => new Promise<Result<Uint8Array>>((resolve) => takeFile(path, resolve))

test('a file is read and gone', async (t) => {
  const path = join(temporaryDirectory(t), 'file')
  writeFileSync(path, 'abc')
  t.deepEqual(await taken(path), Buffer.from('abc'))
  t.false(existsSync(path))
  t.true(isRefused(await taken(path)))
})
