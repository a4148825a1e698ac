import { fileURLToPath } from 'node:url'
import test from 'ava'
import { cleanEnvironment, startAgent } from '../kit/agents.ts'
import { pythonWith } from '../kit/installed.ts'
import { runProgram } from '../kit/running.ts'

const PYTHON = pythonWith('consul')
const SCRIPT = fileURLToPath(new URL('python-client.py', import.meta.url))

test(PYTHON ? 'the client for Python does all it can' : 'the client for Python is not installed', async (t) => {
  t.timeout(60_000)
  if (!PYTHON) return t.pass()
  const agent = await startAgent(t)
  const { code, out, err } = await runProgram(t, PYTHON, [SCRIPT, String(agent.ports.http)], { env: cleanEnvironment() })
  t.deepEqual({ code, out, err }, { code: 0, out: 'ok\n', err: '' })
})
