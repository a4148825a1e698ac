import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { type Agent, startAgent } from '../kit/agents.ts'
import { until } from '../kit/running.ts'

/** Every endpoint that takes JSON, with one of its fields and a value of the wrong kind for it. */
const WRITES = [
  {
    method: 'PUT',
    path: '/v1/agent/service/register',
    strict: true,
    wrong: [{ Name: 5 }, { Name: 'x', Port: '80' }, { Name: 'x', Tags: {} }],
  },
  {
    method: 'PUT',
    path: '/v1/agent/check/register',
    strict: true,
    wrong: [{ Name: [] }, { Name: 'x', TTL: true }, { Name: 'x', Args: 'ls' }],
  },
  { method: 'PUT', path: '/v1/agent/check/update/nope', strict: true, wrong: [{ Status: 1 }, { Status: 'odd' }] },
  {
    method: 'PUT',
    path: '/v1/catalog/register',
    strict: false,
    wrong: [{ Node: 5 }, { Node: 'n' }, { Node: 'n', Address: 'a', Service: [] }],
  },
  { method: 'PUT', path: '/v1/catalog/deregister', strict: false, wrong: [{ Node: {} }, { ServiceID: 'x' }] },
  { method: 'PUT', path: '/v1/connect/ca/configuration', strict: true, wrong: [{ Provider: 1 }, { Provider: 'other' }, { Config: [] }] },
  { method: 'POST', path: '/v1/connect/intentions', strict: true, wrong: [{ SourceName: 1 }, { SourceName: 'a', DestinationName: 'b' }] },
  { method: 'PUT', path: '/v1/connect/intentions/exact?source=a&destination=b', strict: true, wrong: [{ Action: 'maybe' }, { Meta: [] }] },
  { method: 'PUT', path: '/v1/connect/intentions/dd803a7d-0000-0000-0000-000000000000', strict: true, wrong: [{ Meta: { a: 1 } }] },
  {
    method: 'POST',
    path: '/v1/query',
    strict: true,
    wrong: [{ Name: 1 }, { Name: 'x' }, { Name: 'x', Service: { Service: 'a', Tags: 'x' } }],
  },
  { method: 'PUT', path: '/v1/query/dd803a7d-0000-0000-0000-000000000000', strict: true, wrong: [{ Name: 'x', DNS: { TTL: 'x' } }] },
  { method: 'PUT', path: '/v1/coordinate/update', strict: false, wrong: [{ Node: 1 }, { Node: 'n' }, { Node: 'n', Coord: { Vec: [1] } }] },
  { method: 'POST', path: '/v1/agent/connect/authorize', strict: true, wrong: [{ Target: 1 }, { Target: 'a', ClientCertURI: 'x' }] },
] as const

test('a body that no endpoint can take is refused with a reason and changes nothing', async (t) => {
  const agent = await startAgent(t)
  const before = await settledIndex(agent)
  for (const { method, path, strict, wrong } of WRITES) {
    const odd = fc
      .tuple(
        fc.string({ minLength: 1 }).map((key) => `odd ${key}`),
        fc.jsonValue(),
      )
      .map((pair) => JSON.stringify(Object.fromEntries([pair])))
    const bodies = [
      fc.constantFrom('', ' ', '{', '[[[[', '"', '{"Name":"x"', '\u0000', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      fc
        .jsonValue()
        .filter((value) => typeof value !== 'object' || value === null || Array.isArray(value))
        .map((value) => JSON.stringify(value)),
      fc.json().map((text) => `{"Name":"x","Odd":${text}`),
      fc.constantFrom(...wrong.map((body) => JSON.stringify(body))),
      ...(strict ? [odd] : []),
    ]
    await fc.assert(
      fc.asyncProperty(fc.oneof(...bodies), async (body) => {
        const { status, text } = await agent.http(method, path, body)
        t.true(status >= 400, `${method} ${path} ${body}: ${status} ${text}`)
        t.regex(text, /\w/, `${method} ${path} ${body}: ${status}`)
        t.notRegex(text, /internal error/, `${method} ${path} ${body}`)
      }),
      { numRuns: 40 },
    )
  }
  t.is(await lastIndex(agent), before)
  await unharmed(t, agent)
})

test('bodies made of an endpoint’s own keys are taken or refused, and crash nothing', async (t) => {
  const agent = await startAgent(t)
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.constantFrom('10s', 'passing', 'web', '127.0.0.1', 80),
      fc.dictionary(KEYS, tie('tree')),
    ),
  }))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...WRITES), fc.dictionary(KEYS, tree), async ({ method, path }, body) => {
      const { status, text } = await agent.http(method, path, JSON.stringify(body))
      t.true(status === 200 || text !== '', `${path} ${JSON.stringify(body)}: ${status}`)
      t.notRegex(text, /internal error|crashed/, `${path} ${JSON.stringify(body)}`)
    }),
    { numRuns: 400 },
  )
  await unharmed(t, agent)
})

test('bytes that are no request are answered or cut off, and the next request is served', async (t) => {
  const agent = await startAgent(t)
  const word = fc.constantFrom(
    'GET ',
    'PUT ',
    'POST ',
    'OPTIONS ',
    'HEAD ',
    'PRI * HTTP/2.0',
    '/v1/kv/',
    '/v1/agent/self',
    '//',
    '..',
    '%',
    '%00',
    '%ff',
    '?index=',
    '&',
    '*',
    'http://',
    ' HTTP/1.1',
    ' HTTP/1.0',
    ' HTTP/9.9',
    '\r\n',
    '\n',
    'Host: x',
    'Content-Length: 3',
    'Content-Length: -1',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked',
    'Connection: close',
    'Expect: 100-continue',
    'Upgrade: websocket',
    'zz\r\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
    ': ',
    '\0',
    '\x16\x03\x01',
  )
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((noise) => Buffer.from(noise)),
    fc.array(fc.oneof(word, word, fc.string({ maxLength: 5 })), { maxLength: 12 }).map((words) => Buffer.from(words.join(''))),
    fc
      .tuple(word, fc.string({ unit: 'binary' }))
      .map(([method, path]) => Buffer.from(`${method}/v1/kv/${path} HTTP/1.1\r\nHost: x\r\n\r\n`)),
    fc.constant(Buffer.from(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`)),
  )
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const answer = await exchanged(agent.ports.http, sent)
      t.regex(answer, /^(HTTP\/1\.1 \d{3} [\s\S]*)?$/, JSON.stringify(sent.toString('latin1')))
      t.notRegex(answer, /internal error/, JSON.stringify(sent.toString('latin1')))
    }),
    { numRuns: 400 },
  )
  await unharmed(t, agent)
})

test('a flood of noise over UDP changes nothing, and the next question is answered', async (t) => {
  const agent = await startAgent(t)
  const before = await settledIndex(agent)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const sample = fc.sample(
    fc.oneof(
      fc.uint8Array({ maxLength: 512 }).map((noise) => Buffer.from(noise)),
      fc
        .tuple(
          fc.constantFrom('query', 'service', 'addr', 'node', 'connect'),
          fc.uint8Array({ minLength: 1, maxLength: 63 }),
          fc.nat(0xffff),
        )
        .map(([kind, name, type]) => question([Buffer.from(name), Buffer.from(kind), Buffer.from('consul')], type)),
    ),
    3_000,
  )
  for (const packet of sample) await new Promise((sent) => socket.send(packet, agent.ports.dns, '127.0.0.1', sent))
  const known = question([Buffer.from('consul'), Buffer.from('service'), Buffer.from('consul')], 1)
  known.writeUInt16BE(0xbeef, 0)
  let isAnswered = false
  socket.on('message', (reply) => {
    if (reply.readUInt16BE(0) === 0xbeef && reply.readUInt16BE(6) === 1) isAnswered = true
  })
  await until(
    'an answer to the last question',
    () => {
      socket.send(known, agent.ports.dns, '127.0.0.1')
      return agent.http('GET', '/v1/status/leader')
    },
    () => isAnswered,
  )
  t.is(await lastIndex(agent), before)
  await unharmed(t, agent)
})

/** A question for a name of these labels. */
function question(labels: readonly Buffer[], type: number): Buffer {
  const header = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const name = labels.flatMap((label) => [Buffer.from([label.length]), label])
  return Buffer.concat([header, ...name, Buffer.from([0, type >> 8, type & 255, 0, 1])])
}

const KEYS = fc.constantFrom(
  'ID',
  'Name',
  'Node',
  'Address',
  'Service',
  'Port',
  'Tags',
  'Meta',
  'NodeMeta',
  'Check',
  'Checks',
  'CheckID',
  'TTL',
  'Interval',
  'Timeout',
  'HTTP',
  'TCP',
  'Args',
  'AliasService',
  'Status',
  'Output',
  'Weights',
  'Kind',
  'Proxy',
  'Connect',
  'SidecarService',
  'Native',
  'Upstreams',
  'DestinationName',
  'LocalBindPort',
  'Config',
  'TaggedAddresses',
  'Definition',
  'Header',
  'Provider',
  'LeafCertTTL',
  'Template',
  'Failover',
  'DNS',
  'Coord',
  'SourceName',
  'Action',
  'Permissions',
  'Target',
  'ClientCertURI',
  '__proto__',
  'constructor',
)

/** Everything that comes back after these bytes and the end of what is sent. */
function exchanged(port: number, sent: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
    // A reset is how a server may answer bytes that are no request.
    socket.once('error', () => socket.destroy())
    socket.once('close', () => resolve(answer))
    socket.end(sent)
  })
}

async function lastIndex(agent: Agent): Promise<string> {
  const { Stats } = await agent.json<{ Stats: { raft: { last_log_index: string } } }>('/v1/agent/self')
  return Stats.raft.last_log_index
}

/** The index once the agent has announced itself, said where it is and founded its authority. */
async function settledIndex(agent: Agent): Promise<string> {
  await until(
    'a root',
    () => agent.http('GET', '/v1/connect/ca/roots'),
    ({ status }) => status === 200,
  )
  await until(
    'the server',
    () => agent.json<string>('/v1/status/leader'),
    (leader) => leader !== '',
  )
  await until(
    'its coordinate',
    () => agent.json<unknown[]>('/v1/coordinate/nodes'),
    ({ length }) => length > 0,
  )
  return lastIndex(agent)
}

/** No thread and no actor had to be started again, and nothing was complained about. */
async function unharmed(t: ExecutionContext, agent: Agent): Promise<void> {
  const rows = await agent.json<{ Actor: string; Restarts: number }[]>('/v1/tribune/actors')
  t.deepEqual(
    rows.filter(({ Restarts }) => Restarts > 0),
    [],
  )
  t.notRegex(agent.said(), /\[ERROR\]/)
}
