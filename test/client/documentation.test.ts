import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { cleanEnvironment, startAgent, temporaryDirectory, writeFiles } from '../kit/agents.ts'
import { runProgram } from '../kit/running.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = pathToFileURL(join(ROOT, 'src/client/index.ts')).href
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

test.serial('the examples of the client’s page do what it says', examplesOf, 'docs/client.md')
test.serial('the examples of the page about Connect do what it says', examplesOf, 'docs/native.md')

test('the page names all that the client has', async (t) => {
  const { createClient } = await import('../../src/client/index.ts')
  const page = read('docs/client.md')
  const client = createClient({ env: {} })
  const missing = Object.entries(client).flatMap(([group, of]) => {
    if (typeof of === 'function') return page.includes(`client.${group}(`) ? [] : [group]
    const names = page.match(new RegExp(`\`client\\.${group}\`[^\`]*\`([a-zA-Z\\s]+)\``))?.[1]?.split(/\s+/) ?? []
    return Object.keys(of).filter((name) => !names.includes(name))
  })
  t.deepEqual(missing, [])
})

async function examplesOf(t: ExecutionContext, page: string): Promise<void> {
  t.timeout(120_000)
  const text = read(page)
  /** Programs, each with what it prints. */
  const examples = [...text.matchAll(/```ts\n([\s\S]*?)```\n```text\n([\s\S]*?)```/g)]
  t.is(examples.length, [...text.matchAll(/```ts\n/g)].length)
  const agent = await startAgent(t)
  const folder = temporaryDirectory(t)
  for (const [at, [, program = '', printed]] of examples.entries()) {
    const file = `example-${at}.ts`
    writeFiles(folder, { [file]: program.replace("from 'tribune'", `from '${CLIENT}'`) })
    const env = cleanEnvironment({ CONSUL_HTTP_ADDR: agent.address })
    const { code, out, err } = await runProgram(t, process.execPath, [join(folder, file)], { env })
    t.deepEqual({ code, out, err: code === 0 ? '' : err }, { code: 0, out: printed, err: '' })
  }
}
