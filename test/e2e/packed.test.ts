import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { cleanEnvironment, runTribune, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { runProgram } from '../kit/running.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

test.serial('the package that `npm pack` makes runs where a global installation puts it', async (t) => {
  t.timeout(120_000)
  const prefix = temporaryDirectory(t)
  const packed = await runProgram(t, 'npm', ['pack', '--silent', '--pack-destination', prefix], { cwd: ROOT, env: cleanEnvironment() })
  t.is(packed.code, 0, packed.out + packed.err)
  const [archive = ''] = readdirSync(prefix)
  const installed = join(prefix, 'lib', 'node_modules', 'tribune')
  mkdirSync(installed, { recursive: true })
  mkdirSync(join(prefix, 'bin'))
  const unpacked = await runProgram(t, 'tar', ['-xzf', join(prefix, archive), '-C', installed, '--strip-components=1'])
  t.is(unpacked.code, 0, unpacked.err)
  t.deepEqual(readdirSync(installed).sort(), ['LICENSE', 'README.md', 'bin', 'dist', 'package.json'])
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'))
  const program = join(prefix, 'bin', 'tribune')
  symlinkSync('../lib/node_modules/tribune/bin/tribune', program)

  const version = await runTribune(t, ['version'], {}, { program })
  t.regex(version.out, /^Tribune v\d/)
  t.is(version.code, 0)
  const agents = temporaryDirectory(t)
  writeFiles(agents, { 'web.hcl': 'server = true connect { enabled = true } service { name = "web" port = 80 connect { proxy {} } }' })
  const simulated = await runTribune(t, ['sim', '-config-dir', agents, '-runs', '1', '-seconds', '5'], {}, { program })
  t.regex(simulated.out, /\nnothing broke\n$/)
  const agent = await startAgent(t, { program, files: { 'web.hcl': 'service { name = "web" port = 80 connect { proxy {} } }' } })
  await agent.line(/Proxy loaded config and ready to serve/)
  const put = await runTribune(t, ['kv', 'put', 'k', 'v'], { CONSUL_HTTP_ADDR: agent.address }, { program })
  t.is(put.out, 'Success! Data written to: k\n')
  t.is((await agent.stop()).code, 1)
})
