import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { temporaryDirectory } from './temporary-directory.ts'

const KIT = new URL('./temporary-directory.ts', import.meta.url).href
const TESTS = fileURLToPath(new URL('..', import.meta.url))

test('a folder goes with its test, or with the process', async (t) => {
  const endings: (() => unknown)[] = []
  const directory = temporaryDirectory({ teardown: (ending) => endings.push(ending) })
  writeFileSync(join(directory, 'file'), 'x')
  for (const ending of endings) await ending()
  t.false(existsSync(directory))

  const script = `import { temporaryDirectory } from ${JSON.stringify(KIT)}; console.log(temporaryDirectory()); process.exit(1)`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  t.regex(stdout, /^\/.*\/tribune-test-\w+\n$/)
  t.false(existsSync(stdout.trim()))
})

test('tests make temporary folders with what removes them', (t) => {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const own = files.filter((file) => !file.startsWith('kit/temporary') && readFileSync(join(TESTS, file), 'utf8').includes('mkdtemp'))
  t.deepEqual(own, [])
})
