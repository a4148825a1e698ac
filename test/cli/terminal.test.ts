import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { fakeAgent } from './kit.ts'

const run = promisify(execFile)
const PROGRAM = join(fileURLToPath(new URL('../..', import.meta.url)), 'bin', 'tribune')
const EVIL = 'web\u001b]0;owned\u0007\u001b[2J\u202e'

test('on a terminal names do nothing but stand there; a program that reads along gets them as they are', async (t) => {
  const services = { 'GET /v1/catalog/services': { json: { [EVIL]: [] } }, 'GET /v1/catalog/nodes': { status: 500, text: EVIL } }
  const agent = await fakeAgent(services)
  t.teardown(agent.close)
  const env = { ...process.env, CONSUL_HTTP_ADDR: agent.address }
  t.is((await run(PROGRAM, ['catalog', 'services'], { env })).stdout, `${EVIL}\n`)
  // `script` runs a command on a terminal of its own.
  const onTerminal = await run('script', ['-qec', `"${PROGRAM}" catalog services; "${PROGRAM}" catalog nodes`, '/dev/null'], { env }).catch(
    (failed: { stdout: string }) => failed,
  )
  t.regex(onTerminal.stdout, /^web\\u001b\]0;owned\\u0007\\u001b\[2J\\u202e\r\n/)
  t.is(onTerminal.stdout.match(/\\u001b\[2J/g)?.length, 2)
  t.notRegex(onTerminal.stdout, /[\u001b\u0007\u202e]/)
})
