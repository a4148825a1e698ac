import test from 'ava'
import { decode } from 'dns-packet'
import type { Datacenter, DatacentersProtocol } from '../../actors/datacenters/protocol.ts'
import { exchange } from '../../actors/exchange/index.ts'
import { exchangeRef } from '../../actors/exchange/protocol.ts'
import type { Answer, AnswerTurn } from '../../net/dns/answer.ts'
import { answerFar, answerHere, askFar } from '../../net/dns/far.ts'
import { RCODE, TYPE } from '../../net/dns/records.ts'
import { createResponder } from '../../net/dns/responder.ts'
import { type DnsSettings, dnsSettings } from '../../net/dns/settings.ts'
import { defineActor } from '../../src/kernel/actor.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { ownApi } from '../../src/own-api.ts'
import { query } from '../dns/wire.ts'
import { instance, registration } from '../kit/catalog.ts'
import { linkedHosts } from '../kit/linked-hosts.ts'
import { preparedQuery } from '../kit/queries.ts'
import { emptyTables } from '../kit/tables.ts'

const TURN: AnswerTurn = { nowMs: 0, chance: () => 0, ip: '10.9.9.9', edns: false, answersMax: 10 }
const WEB = instance({ name: 'web', port: 80 })

test('names of another datacenter are found there, by the settings of whoever was asked', (t) => {
  const { ask } = world()
  for (const agent of ['n1', 'c1'] as const) {
    t.like(ask(agent, 'web.service.dc2.mesh.', TYPE.a), {
      rcode: RCODE.noError,
      answers: [{ type: 'A', name: 'web.service.dc2.mesh.', address: '10.2.0.1', ttlSeconds: 7 }],
    })
    t.like(ask(agent, 'web.service.dc2.mesh.', TYPE.srv), { answers: [{ target: 'x2.node.dc2.mesh.' }] })
    t.like(ask(agent, 'x2.node.dc2.mesh.', TYPE.a), { answers: [{ address: '10.2.0.1' }] })
    t.like(ask(agent, 'there.query.dc2.mesh.', TYPE.a), { answers: [{ address: '10.2.0.1' }] })
    t.like(ask(agent, 'none.service.dc2.mesh.', TYPE.a), { rcode: RCODE.nameError, authorities: [{ type: 'SOA', name: 'mesh.' }] })
    t.like(ask(agent, 'web.service.dc1.mesh.', TYPE.a), { rcode: RCODE.nameError })
  }
})

test('a datacenter that nobody knows has no names, and what is about the zone is answered here', (t) => {
  const { ask } = world()
  t.like(ask('n1', 'web.service.dc9.mesh.', TYPE.a), { rcode: RCODE.nameError, authorities: [{ type: 'SOA' }] })
  t.like(ask('n1', 'web.service.dc9.mesh.', TYPE.soa), { rcode: RCODE.noError, answers: [{ type: 'SOA' }] })
})

test('a datacenter that does not answer fails, without a word', (t) => {
  const { ask, kit } = world()
  kit.cut('n1', 'd1')
  for (const agent of ['n1', 'c1'] as const) {
    t.like(ask(agent, 'web.service.dc2.mesh.', TYPE.a), { rcode: RCODE.serverFailure, answers: [], authorities: [] })
  }
})

test('a prepared query goes on in other datacenters, whose names its answers have', (t) => {
  const { ask, kit, tables } = world()
  for (const agent of ['n1', 'c1'] as const) {
    t.like(ask(agent, 'q.query.mesh.', TYPE.srv), {
      rcode: RCODE.noError,
      personal: true,
      answers: [{ type: 'SRV', name: 'q.query.mesh.', target: 'x2.node.dc2.mesh.', port: 80, ttlSeconds: 3 }],
    })
  }
  t.like(ask('n1', 'q.query.dc1.mesh.', TYPE.a), { answers: [{ address: '10.2.0.1' }] })
  t.like(ask('d1', 'q.query.dc1.mesh.', TYPE.a), { answers: [{ address: '10.2.0.1' }] }, 'dc1 asks dc2 for whoever asks it')
  kit.cut('n1', 'd1')
  t.like(ask('n1', 'q.query.mesh.', TYPE.a), { rcode: RCODE.nameError })
  tables.n1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'x1', address: '10.1.0.1', service: WEB }) }])
  t.like(ask('n1', 'q.query.mesh.', TYPE.a), { answers: [{ address: '10.1.0.1' }] })
})

test('addresses for other datacenters are given to those who take them', (t) => {
  const { ask, tables } = world({ translateWanAddrs: true })
  const service = { ...instance({ name: 'wide', address: '10.2.0.9' }), taggedAddresses: { wan: { address: '203.0.113.9', port: 8080 } } }
  const request = { ...registration({ node: 'y2', address: '10.2.0.2', service }), taggedAddresses: { wan: '203.0.113.2' } }
  tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request }])
  for (const agent of ['n1', 'c1'] as const) {
    t.like(ask(agent, 'y2.node.dc2.mesh.', TYPE.a), { answers: [{ address: '203.0.113.2' }] })
    t.like(ask(agent, 'wide.service.dc2.mesh.', TYPE.srv), { answers: [{ port: 8080, target: 'cb007109.addr.dc2.mesh.' }] })
    t.like(ask(agent, 'wide.query.mesh.', TYPE.a), { answers: [{ address: '203.0.113.9' }] })
  }
  const tagged = { wan: '203.0.113.3', wan_ipv6: '2001:db8::3', wan_ipv4: '203.0.113.4' }
  const both = { taggedAddresses: { wan: { address: '2001:db8::9', port: 0 }, wan_ipv4: { address: '203.0.113.9', port: 0 } } }
  for (const [node, service] of [
    ['z2', instance({ name: 'plain' })],
    ['z2', { ...instance({ name: 'both', address: '10.2.0.9' }), ...both }],
  ] as const) {
    const request = { ...registration({ node, address: '10.2.0.3', service }), taggedAddresses: tagged }
    tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request }])
  }
  const addresses = (name: string, type: number) => {
    const answer = ask('n1', name, type)
    return answer && 'answers' in answer ? answer.answers.map((record) => ('address' in record ? record.address : record.type)) : answer
  }
  t.deepEqual(addresses('z2.node.dc2.mesh.', TYPE.a), ['203.0.113.3'])
  t.deepEqual(addresses('z2.node.dc2.mesh.', TYPE.aaaa), ['2001:db8::3'])
  t.deepEqual(addresses('plain.service.dc2.mesh.', TYPE.aaaa), ['2001:db8::3'])
  t.deepEqual(addresses('both.service.dc2.mesh.', TYPE.a), ['203.0.113.9'])
  t.deepEqual(addresses('both.service.dc2.mesh.', TYPE.aaaa), ['2001:db8::9'])
  t.like(ask('d1', 'wide.service.mesh.', TYPE.a), { answers: [{ address: '10.2.0.9' }] })
  t.like(ask('d1', 'y2.node.dc2.mesh.', TYPE.a), { answers: [{ address: '10.2.0.2' }] })
})

test('the host name of a service may be a name of another datacenter', async (t) => {
  const { tables, answers, kit, settings } = world()
  const service = instance({ name: 'alias', address: 'web.service.dc2.mesh' })
  tables.n1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'x1', address: '10.1.0.9', service }) }])
  for (const agent of ['n1', 'c1'] as const) {
    const respond = createResponder({
      answers: answers[agent],
      settings: () => settings(agent),
      recursors: { forward: async () => undefined, lookup: async () => [], close: () => undefined },
      report: () => undefined,
      failed: (_question, error) => t.fail(String(error)),
      chance: () => 0,
      nowMs: () => 0,
    })
    const replies: Buffer[] = []
    t.true(respond(query('alias.service.mesh'), 'udp', '10.0.0.1', (bytes) => replies.push(bytes)))
    for (let round = 0; round < 20 && replies.length === 0; round++) {
      kit.settle()
      await new Promise(setImmediate)
    }
    const [reply] = replies
    const answered = reply && decode(reply).answers?.map(({ type, name }) => `${type} ${name}`)
    t.deepEqual(answered, ['CNAME alias.service.mesh', 'A web.service.dc2.mesh'])
  }
})

test('a question from another datacenter is asked in no third one', async (t) => {
  const { kit, settings } = world()
  const asked = (name: string, datacenter?: string) => {
    const { chance: _chance, ...turn } = TURN
    const question = { name, type: TYPE.a, settings: settings('n1'), turn, ...(datacenter !== undefined && { datacenter }) }
    const answer = kit.host('n1').asked({ ...exchangeRef, datacenter: 'dc2' }, 'dns', { number: 1, question }, 1_000)
    kit.settle()
    return answer
  }
  t.like(await asked('web.service.dc9.mesh.', 'dc2'), { records: { rcode: RCODE.nameError } })
  t.deepEqual(await asked('web.service.dc2.mesh.', 'dc3'), { refused: 'gone', why: 'No path to datacenter' })
  t.deepEqual(await asked('web.service.dc2.mesh.'), { refused: 'invalid', why: 'it does not say which datacenter it is for' })
})

/** dc1 with a server and a client, dc2 with a server and the service web on x2. Each agent has a zone and a TTL of its own settings. */
function world({ translateWanAddrs = false }: { translateWanAddrs?: boolean } = {}) {
  const tables = { n1: emptyTables(), d1: emptyTables() }
  const datacenterOf = (node: string) => (node === 'd1' ? 'dc2' : 'dc1')
  const settings = (node: string): DnsSettings => {
    const serviceTtlMs = { '*': node === 'd1' ? 1_000 : 7_000 }
    return dnsSettings({
      domain: 'mesh',
      datacenter: datacenterOf(node),
      serviceTtlMs,
      translateWanAddrs: translateWanAddrs && node !== 'd1',
    })
  }
  tables.d1.apply([{ kind: 'catalog.register', atMs: 0, request: registration({ node: 'x2', address: '10.2.0.1', service: WEB }) }])
  const failover = { nearestN: 1, datacenters: null }
  const create = (name: string, number: number, service: string, dns = { ttl: '', ttlMs: 0 }) => {
    const id = `963d373b-0000-4000-8000-00000000000${number}`
    return { kind: 'queries.create', atMs: 0, request: { id, query: preparedQuery({ name, dns }, { service, failover }) } }
  }
  tables.n1.apply([create('q', 1, 'web', { ttl: '3s', ttlMs: 3_000 })])
  tables.n1.apply([create('wide', 2, 'wide')])
  tables.d1.apply([create('there', 3, 'web')])
  const options = () => {
    throw new Error('nobody asks the HTTP API')
  }
  const serverOf = (node: 'n1' | 'd1') => ({
    node,
    datacenter: datacenterOf(node),
    server: true,
    actors: [exchange, datacenters],
    tables: tables[node],
    devices: { api: ownApi({ options, answerDns: answerFar(() => kit.host(node), datacenterOf(node)) }) },
  })
  const kit = linkedHosts([serverOf('n1'), serverOf('d1'), { node: 'c1', server: false, actors: [] }])
  for (const server of ['n1', 'd1']) for (const actor of ['exchange', 'datacenters']) kit.host(server).start(actor, '', undefined)
  kit.use('c1', 'n1')
  const answers = {
    n1: answerHere(kit.host('n1'), 'n1'),
    d1: answerHere(kit.host('d1'), 'd1'),
    c1: askFar(kit.host('c1')),
  }
  return {
    kit,
    tables,
    settings,
    answers,
    ask(agent: 'n1' | 'd1' | 'c1', name: string, type: number): Result<Answer> | undefined {
      const found: Result<Answer>[] = []
      answers[agent]({ name, type }, settings(agent), TURN, (answer) => found.push(answer))
      kit.settle()
      return found[0]
    },
  }
}

const KNOWN: Datacenter[] = [
  { name: 'dc1', servers: [] },
  { name: 'dc2', servers: [] },
]

const datacenters = defineActor<DatacentersProtocol, Record<never, never>, null>({
  name: 'datacenters',
  mailboxMax: 10,
  init: () => null,
  on: { show: () => ({ datacenters: KNOWN }), all: () => undefined },
})
