import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Agent, startAgent, writeFiles } from '../kit/agents.ts'
import { installed } from '../kit/installed.ts'
import { runProgram } from '../kit/running.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

const DIG = installed('dig')
const DNSPERF = installed('dnsperf')
const QUESTIONS = 3_000

async function withServices(t: ExecutionContext): Promise<Agent> {
  t.timeout(60_000)
  const services = Array.from({ length: 3 }, (_, index) => {
    const tags = index === 0 ? ['primary'] : []
    return { id: `db${index}`, name: 'db', address: `127.0.0.${index + 1}`, port: 5_432 + index, tags, meta: { zone: 'a' } }
  })
  const agent = await startAgent(t, { args: ['-dev', '-node', 'n1'], files: { 'services.json': { services } } })
  // An agent answers before its catalog has what its files say.
  for (let index = 0, known = 0; known < services.length; ) {
    const { headers, text } = await agent.http('GET', `/v1/catalog/service/db?index=${index}`)
    index = Number(headers['x-consul-index'])
    known = (JSON.parse(text) as unknown[]).length
  }
  return agent
}

test(DIG ? 'dig finds services and nodes in every way' : 'dig is not installed', async (t) => {
  if (!DIG) return t.pass()
  const dig = DIG
  const agent = await withServices(t)
  const ask = async (...words: string[]) => {
    const { code, out, err } = await runProgram(t, dig, ['@127.0.0.1', '-p', String(agent.ports.dns), '+tries=3', '+time=5', ...words])
    t.is(code, 0, err + out)
    return out
  }
  const short = async (...words: string[]) => (await ask('+short', ...words)).trim().split('\n').sort()
  const all = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
  t.deepEqual(await short('db.service.consul'), all)
  t.deepEqual(await short('+tcp', 'db.service.consul'), all)
  t.deepEqual(await short('DB.Service.Consul'), all)
  t.deepEqual(await short('db.service.dc1.consul'), all)
  t.deepEqual(await short('primary.db.service.consul'), ['127.0.0.1'])
  t.deepEqual(await short('n1.node.consul'), ['127.0.0.1'])
  const ports = (await short('SRV', '_db._tcp.service.consul')).map((line) => line.split(' ').slice(0, 3).join(' '))
  t.deepEqual(ports, ['1 1 5432', '1 1 5433', '1 1 5434'])
  t.deepEqual(await short('SRV', '_db._primary.service.consul'), ['1 1 5432 7f000001.addr.dc1.consul.'])
  t.deepEqual(await short('7f000002.addr.dc1.consul'), ['127.0.0.2'])
  t.deepEqual(await short('-x', '127.0.0.1'), ['n1.node.dc1.consul.'])
  t.regex(await ask('SRV', 'db.service.consul'), /;; ADDITIONAL SECTION:\n[^;]*\bA\t127\.0\.0\.2\n/)
  t.regex(await ask('SOA', 'consul'), /ns\.consul\. hostmaster\.consul\./)
  t.regex(await ask('nothing.service.consul'), /status: NXDOMAIN[\s\S]*;; AUTHORITY SECTION:\nconsul\.\s+0\s+IN\s+SOA/)
  t.regex(await ask('AAAA', 'db.service.consul'), /status: NOERROR[\s\S]*ANSWER: 0/)
  t.regex(await ask('+bufsize=4096', 'db.service.consul'), /EDNS: version: 0/)
  t.regex(await ask('nothing.example.com'), /status: REFUSED/)
})

test(DNSPERF ? 'dnsperf has every question answered' : 'dnsperf is not installed', async (t) => {
  if (!DNSPERF) return t.pass()
  const agent = await withServices(t)
  const folder = temporaryDirectory(t)
  const kinds = ['db.service.consul A', 'db.service.consul SRV', 'n1.node.consul A', 'primary.db.service.consul ANY']
  const questions = Array.from({ length: QUESTIONS }, (_, index) => kinds[index % kinds.length])
  writeFiles(folder, { questions: `${questions.join('\n')}\n` })
  const flags = ['-s', '127.0.0.1', '-p', String(agent.ports.dns), '-d', join(folder, 'questions'), '-c', '8', '-q', '64']
  for (const mode of ['udp', 'tcp']) {
    const { code, out, err } = await runProgram(t, DNSPERF, [...flags, '-m', mode])
    t.is(code, 0, err)
    t.regex(out, new RegExp(`Queries completed: +${QUESTIONS} \\(100\\.00%\\)`), out)
    t.regex(out, new RegExp(`Response codes: +NOERROR ${QUESTIONS} \\(100\\.00%\\)`), out)
  }
})
