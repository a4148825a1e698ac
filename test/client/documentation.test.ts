import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import { cleanEnvironment, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { runProgram } from '../kit/running.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = pathToFileURL(join(ROOT, 'src/client/index.ts')).href
const PAGE = readFileSync(join(ROOT, 'docs/client.md'), 'utf8')
/** Programs, each with what it prints. */
const EXAMPLES = [...PAGE.matchAll(/```ts\n([\s\S]*?)```\n```text\n([\s\S]*?)```/g)]

test.serial('the examples of the page do what it says', async (t) => {
  t.timeout(120_000)
  t.is(EXAMPLES.length, [...PAGE.matchAll(/```ts\n/g)].length)
  const agent = await startAgent(t)
  const folder = temporaryDirectory(t)
  for (const [at, [, program = '', printed]] of EXAMPLES.entries()) {
    const file = `example-${at}.ts`
    writeFiles(folder, { [file]: program.replace("from 'tribune'", `from '${CLIENT}'`) })
    const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
    const { code, out, err } = await runProgram(t, process.execPath, [join(folder, file)], { env })
    t.deepEqual({ code, out, err: code === 0 ? '' : err }, { code: 0, out: printed, err: '' })
  }
})

test('the page names all that the client has', async (t) => {
  const { createClient } = await import('../../src/client/index.ts')
  const client = createClient({ env: {} })
  const missing = Object.entries(client).flatMap(([group, of]) => {
    if (typeof of === 'function') return PAGE.includes(`client.${group}(`) ? [] : [group]
    const names = PAGE.match(new RegExp(`\`client\\.${group}\`[^\`]*\`([a-zA-Z\\s]+)\``))?.[1]?.split(/\s+/) ?? []
    return Object.keys(of).filter((name) => !names.includes(name))
  })
  t.deepEqual(missing, [])
})
