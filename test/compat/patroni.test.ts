import { join } from 'node:path'
import test from 'ava'
import { agentPorts, cleanEnvironment, startAgent } from '../kit/agents.ts'
import { freePorts } from '../kit/free-ports.ts'
import { installed, pythonWith } from '../kit/installed.ts'
import { startPatroni } from '../kit/patroni.ts'
import { POSTGRES } from '../kit/postgres.ts'
import { runProgram, until } from '../kit/running.ts'

const PATRONI = pythonWith('consul') && installed('patroni')
const FAILOVER_MS = 90_000

type Health = { Node: { Node: string }; Service: { ID: string; Port: number; Tags: string[] } }

test(
  PATRONI && POSTGRES ? 'Patroni elects another leader of PostgreSQL when the first is lost' : 'Patroni or PostgreSQL is not installed',
  async (t) => {
    t.timeout(180_000)
    if (!PATRONI || !POSTGRES) return t.pass()
    const postgres = POSTGRES
    const free = await freePorts()
    const ports = { a: free.next(), b: free.next() }
    const agent = await startAgent(t, { ports: agentPorts(free) })
    const start = (name: 'a' | 'b') => {
      const common = { program: PATRONI, postgres, name, scope: 'shop', consulPort: agent.ports.http }
      return startPatroni(t, { ...common, restPort: free.next(), postgresPort: ports[name] })
    }
    const leader = async () => (await agent.http('GET', '/v1/kv/service/shop/leader?raw')).text
    const sql = async (port: number, text: string) => {
      const flags = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-X', '-q', '-A', '-t', '-c', text]
      return (await runProgram(t, join(postgres, 'psql'), flags, { env: cleanEnvironment() })).out.trim()
    }
    const primaries = async () =>
      (await agent.json<Health[]>('/v1/health/service/shop?passing&tag=master')).map(({ Service }) => Service.ID)

    const first = start('a')
    await until('a leads', leader, (name) => name === 'a', FAILOVER_MS)
    await until('a takes writes', () => sql(ports.a, 'select pg_is_in_recovery()'), (answer) => answer === 'f', FAILOVER_MS) // biome-ignore format: one line
    await sql(ports.a, 'create table cups (number int)')
    start('b')
    await until('b replicates', () => sql(ports.b, 'select pg_is_in_recovery()'), (answer) => answer === 't', FAILOVER_MS) // biome-ignore format: one line
    await sql(ports.a, 'insert into cups values (42)')
    await until('b has the row', () => sql(ports.b, 'select number from cups'), (answer) => answer === '42') // biome-ignore format: one line
    await until('b is a candidate', () => agent.http('GET', '/v1/kv/service/shop/members/b?raw'), ({ text }) => /"state":"(running|streaming)"/.test(text)) // biome-ignore format: one line
    await until('the catalog knows the leader', primaries, (found) => found.length === 1)
    const before = await agent.json<{ Session?: string }[]>('/v1/kv/service/shop/leader')

    await first.kill()
    await until('b leads', leader, (name) => name === 'b', FAILOVER_MS)
    await until('b takes writes', () => sql(ports.b, 'select pg_is_in_recovery()'), (answer) => answer === 'f', FAILOVER_MS) // biome-ignore format: one line
    t.is(await sql(ports.b, 'insert into cups values (43); select count(*) from cups'), '2')
    const after = await agent.json<{ Session?: string }[]>('/v1/kv/service/shop/leader')
    t.truthy(after[0]?.Session)
    t.not(after[0]?.Session, before[0]?.Session)
    await until('the catalog knows the new leader', primaries, (found) => found.length === 1)
  },
)
