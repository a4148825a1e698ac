import test from 'ava'
import { loadOwn } from '../../sim/own/load.ts'
import { machine } from '../../src/config/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { agentFile, DB, folderOf, loaded, ONE, refusalOf, THREE, WEB } from './own-kit.ts'

test('each folder is an agent: its name, its address, its services, and whom these want to reach', (t) => {
  const { estate } = loaded(t, THREE)
  t.deepEqual(
    estate.agents.map(({ name, address, config }) => [name, address, config.services.map((service) => service.name)]),
    [
      ['n1', '10.1.0.1', ['web']],
      ['n2', '10.1.0.2', ['db']],
      ['n3', '10.1.0.3', ['db']],
    ],
  )
  t.deepEqual(estate.upstreams, [{ node: 'n1', source: 'web', destination: 'db', address: '127.0.0.1', port: 9191 }])
  t.deepEqual(
    estate.applications.map(({ node, service, port }) => [node, service, port]),
    [
      ['n1', 'web', 8080],
      ['n2', 'db', 5432],
      ['n3', 'db', 5432],
    ],
  )
})

test('files that are in the folder itself are a single agent, named by node_name or else by the folder', (t) => {
  t.deepEqual(
    loaded(t, ONE).estate.agents.map(({ name }) => name),
    ['solo'],
  )
  const folder = folderOf(t, { 'agents/edge-7/a.hcl': `${agentFile('10.1.0.1')}${DB}` })
  const own = loadOwn(`${folder}/agents/edge-7`, machine)
  t.deepEqual(isRefused(own) ? own : own.estate.agents.map(({ name }) => name), ['edge-7'])
})

test('an agent without an address of its own gets one, and those that announce the same or their loopback are told', (t) => {
  const { estate, notes } = loaded(t, {
    'a/agent.hcl': `server = true\n${WEB.replace('connect {', 'meta { x = "y" } connect {')}connect { enabled = true }\n`,
    'b/agent.hcl': agentFile('127.0.0.1') + DB,
    'c/agent.hcl': agentFile('10.0.0.1') + DB,
    'd/agent.hcl': agentFile('10.9.9.9') + DB,
    'e/agent.hcl': agentFile('10.9.9.9') + DB,
  })
  const addresses = estate.agents.map(({ address }) => address)
  t.is(new Set(addresses).size, 5)
  t.is(addresses[2], '10.0.0.1')
  t.true(addresses.every((address) => address.startsWith('10.')))
  for (const { address, config } of estate.agents) t.is(config.addresses.advertise, address)
  const said = notes.join('\n')
  t.regex(said, /b: announces 127\.0\.0\.1, but no other machine reaches it: it is simulated with 10\./)
  t.regex(said, /d: announces 10\.9\.9\.9, but another agent announces it too: it is simulated with 10\./)
  t.notRegex(said, /a: announces/)
})

test('what an agent of this version refuses and a simulation can stand for is a note', (t) => {
  const { estate, notes } = loaded(t, {
    ...THREE,
    'n1/join.hcl': 'retry_join = ["10.1.0.2"]\nstart_join = ["10.1.0.3"]\n',
    'n4/agent.hcl': 'retry_join = ["10.1.0.2"]\nbind_addr = "10.1.0.4"\nconnect { enabled = true }\n',
  })
  t.deepEqual(notes, [
    'n1, n2 and n3: bootstrap_expect: the servers of a simulation are one cluster from the beginning',
    'n1 and n4: retry_join: the agents of a simulation are one cluster and need not look for each other',
    'n1: start_join: the agents of a simulation are one cluster and need not look for each other',
  ])
  t.deepEqual(
    estate.agents.map(({ name, config }) => [name, config.server]),
    [
      ['n1', true],
      ['n2', true],
      ['n3', true],
      ['n4', false],
    ],
  )
})

test('a number of servers that would not start, and agents that are all clients, are noted', (t) => {
  const { notes } = loaded(t, { ...THREE, 'n3/agent.hcl': agentFile('10.1.0.3').replace('expect = 3', 'expect = 5') })
  t.true(notes.includes('n3: bootstrap_expect is 5, and there are 3 servers: the simulated cluster starts anyway'))
  const clients = loaded(t, { 'n1/a.hcl': `connect { enabled = true }\n${WEB}`, 'n2/a.hcl': `connect { enabled = true }\n${DB}` })
  t.deepEqual(clients.notes, ['n1 and n2: no agent says server = true: it is simulated as a server'])
  t.true(clients.estate.agents.every(({ config }) => config.server))
})

test('what runs outside of the agent is not simulated, and that is said', (t) => {
  const { estate, notes } = loaded(t, {
    ...THREE,
    'n1/more.hcl': 'service { name = "old" port = 81 connect { sidecar_service {} } }',
    'n2/more.hcl': 'service { name = "own" port = 82 connect { native = true } }',
    'n3/more.hcl': 'service { kind = "connect-proxy" name = "old-proxy" port = 83 proxy { destination_service_name = "old" } }',
  })
  t.deepEqual(
    notes.filter((note) => /simulated:|simulated,/.test(note)),
    [
      'n1: old has a sidecar that is a process of its own and is not simulated: only managed proxies (connect { proxy {} }) run inside the agent',
      'n2: own speaks Connect by itself, which is not simulated: no other service reaches it',
      'n3: old-proxy is a connect-proxy, a process of its own, and is not simulated: only managed proxies (connect { proxy {} }) run inside the agent',
    ],
  )
  t.is(estate.agents[0]?.config.services.find(({ name }) => name === 'old')?.connect, undefined)
  t.false(estate.agents[2]?.config.services.some(({ name }) => name === 'old-proxy'))
})

test('an upstream that nobody can reach is left out, and that is said', (t) => {
  const upstreams = ['cache', 'old', 'db'].map((name, at) => `{ destination_name = "${name}", local_bind_port = ${9191 + at} }`)
  const { estate, notes } = loaded(t, {
    ...THREE,
    'n1/web.hcl': `service { name = "web" port = 8080 connect { proxy { config { upstreams = [${upstreams.join(', ')}] } } } }`,
    'n2/old.hcl': 'service { name = "old" port = 81 }',
  })
  t.deepEqual(
    estate.upstreams.map(({ destination, port }) => [destination, port]),
    [['db', 9193]],
  )
  t.true(notes.includes('n1: web has the upstream "cache", but no agent has a service of that name: it is left out'))
  t.true(notes.includes('n1: web has the upstream "old", but no agent runs a proxy for it: it is left out'))
})

test('a proxy that would not run, and two that listen on one port, are noted', (t) => {
  const { notes, estate } = loaded(t, {
    ...THREE,
    'n2/agent.hcl': agentFile('10.1.0.2').replace('connect { enabled = true }', ''),
    'n3/more.hcl': 'service { name = "other" port = 5432 }',
    'n1/script.hcl': 'service { name = "script" port = 80 connect { proxy { exec_mode = "script" } } }',
  })
  t.true(notes.includes('n2: the proxy of db does not run: connect.enabled is not true'))
  t.true(notes.some((note) => /^n1: the proxy of script does not run: connect\.proxy\.exec_mode: "script" is not supported$/.test(note)))
  t.true(
    notes.some((note) => /^n3: the program (db|other) and the program (db|other) both listen on port 5432: .* is left out$/.test(note)),
  )
  t.is(estate.applications.filter(({ node }) => node === 'n3').length, 1)
})

const REFUSED: [what: string, files: Record<string, string | object>, why: RegExp][] = [
  [
    'a mistake in a file',
    { ...THREE, 'n2/db.hcl': 'service { name = "db" prt = 1 }' },
    /^n2: failed to parse DIR\/n2\/db\.hcl: .*\n.*service\.prt/s,
  ],
  [
    'a problem of a definition',
    { ...THREE, 'n2/db.hcl': 'service { name = "db" port = -1 }' },
    /^n2: service "db": .*\(DIR\/n2\/db\.hcl:1\)$/,
  ],
  ['what nobody can simulate', { ...THREE, 'n3/segment.hcl': 'segment = "alpha"' }, /^n3: .*segment.*Network segments are not supported/s],
  ['two agents of one name', { ...THREE, 'n3/name.hcl': 'node_name = "N1"' }, /^n3: node_name: "N1" is also the name of n1$/],
  [
    'a name that no sentence can hold',
    { ...THREE, 'n3/name.hcl': 'node_name = "n three"' },
    /^n3: node_name: "n three" has a space: a simulation speaks of agents in sentences$/,
  ],
  ['two datacenters', { ...THREE, 'n2/dc.hcl': 'datacenter = "dc2"' }, /^n2: datacenter: "dc2", but n1 is in "dc1": a simulation has one$/],
  ['no service at all', { 'n1/a.hcl': agentFile('10.1.0.1') }, /^no agent has a service: there is nothing to simulate$/],
  ['no configuration', { 'n1/readme.txt': 'x' }, /^DIR has no configuration: neither \.hcl or \.json files nor folders with such files$/],
  [
    'files beside folders',
    { ...THREE, 'all.hcl': 'server = true' },
    /^DIR has configuration files of its own \(all\.hcl\) and folders with such files \(n1\)/,
  ],
]

for (const [what, files, why] of REFUSED) {
  test(`refused, with its place: ${what}`, (t) => {
    t.regex(refusalOf(t, files), why)
  })
}

test('every mistake is told at once', (t) => {
  const why = refusalOf(t, { ...THREE, 'n2/db.hcl': 'service { name = "db" prt = 1 }', 'n3/db.hcl': 'service { name = "db" prt = 1 }' })
  t.regex(why, /^n2: .*^n3: /ms)
})

test('a folder that is not there, or is a file, is refused', (t) => {
  const folder = folderOf(t, { 'a.hcl': '' })
  for (const [path, why] of [
    [`${folder}/none`, /^open .*none: no such file or directory$/],
    [`${folder}/a.hcl`, /a\.hcl is a file: a folder is needed$/],
  ] as const) {
    const own = loadOwn(path, machine)
    t.regex(isRefused(own) ? own.why : 'loaded', why)
  }
})
