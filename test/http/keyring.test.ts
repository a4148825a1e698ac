import test from 'ava'
import type { KeyAnswer } from '../../actors/membership/protocol.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { run } from '../kit/http.ts'

const PATH = '/v1/operator/keyring'
const [ONE, TWO] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(16, 2).toString('base64')]
const FACTS = { server: true, datacenter: 'dc1', ports: { serfWan: 8302 } }

function answer(name: string, more: Partial<KeyAnswer> = {}): KeyAnswer {
  return { name, isServer: true, keys: [ONE, TWO], why: '', ...more }
}

/** `wide`: what the servers of all datacenters answer; those of this one if not given. `far`: what those of dc2 say of theirs, if there is one. */
function ask(
  method: string,
  query: string,
  answers: KeyAnswer[],
  body: unknown = '',
  facts = FACTS,
  wide = answers.filter(({ isServer }) => isServer).map((one) => ({ ...one, name: `${one.name}.dc1` })),
  more: { far?: unknown } = {},
) {
  const known = { datacenters: [{ name: 'dc1' }, ...(more.far ? [{ name: 'dc2' }] : [])] }
  const pools = { 'membership/keyring': answers, 'wan-membership/keyring': wide, 'exchange/keyring': more.far }
  return run(method, `${PATH}${query}`, { facts, show: known, ...pools }, {}, body)
}

test('keys are counted over all members, and over the servers of all datacenters', async (t) => {
  const answers = [answer('n1'), answer('n2', { keys: [TWO, ONE] }), answer('n3', { isServer: false, keys: [ONE] })]
  const lan = { WAN: false, Datacenter: 'dc1', Segment: '', Keys: { [ONE]: 3, [TWO]: 2 }, PrimaryKeys: { [ONE]: 2, [TWO]: 1 }, NumNodes: 3 }
  const wan = { ...lan, WAN: true, Keys: { [ONE]: 2, [TWO]: 2 }, PrimaryKeys: { [ONE]: 1, [TWO]: 1 }, NumNodes: 2 }
  t.deepEqual(await ask('GET', '?relay-factor=2', answers), { json: [wan, lan] })
  t.deepEqual(await ask('GET', '?local-only=true', answers), { json: [lan] })
  for (const method of ['POST', 'PUT', 'DELETE']) t.deepEqual(await ask(method, '', answers, { Key: ONE }), {})
  const wide = [answer('n1.dc1'), answer('n1.dc2', { keys: [ONE] })]
  t.like(await ask('GET', '', answers, '', FACTS, wide), { json: [{ WAN: true, Keys: { [ONE]: 2, [TWO]: 1 }, NumNodes: 2 }, lan] })
  t.deepEqual(await ask('GET', '', answers, '', { ...FACTS, ports: { serfWan: -1 } }), { json: [lan] })
})

test('members of other datacenters are asked there', async (t) => {
  const far = [answer('b1', { keys: [TWO] }), answer('b2', { isServer: false, keys: [TWO] })]
  const [here, wide] = [[answer('n1')], [answer('n1.dc1'), answer('b1.dc2')]]
  const json = (reply: object) => ('json' in reply ? (reply.json as { Datacenter: string; WAN: boolean; NumNodes: number }[]) : [])
  const found = json(await ask('GET', '', here, '', FACTS, wide, { far }))
  t.deepEqual(
    found.map(({ Datacenter, WAN, NumNodes }) => [Datacenter, WAN, NumNodes]),
    [
      ['dc1', true, 2],
      ['dc1', false, 1],
      ['dc2', false, 2],
    ],
  )
  t.like(json(await ask('GET', '?local-only=1', here, '', FACTS, wide, { far })), { length: 1 })
  const why = 'Requested key is not in the keyring'
  const refused = await ask('PUT', '', here, { Key: ONE }, FACTS, wide, { far: [answer('b1', { keys: [], why })] })
  t.regex(
    'text' in refused ? (refused.text ?? '') : '',
    /^2 errors occurred:\n\t\* dc2 \(LAN\) error: 1\/1 nodes reported failure\n\t\* b1: Req/,
  )
  const nobody = refuse('gone', 'Remote DC has no server currently reachable')
  t.deepEqual(await ask('GET', '', here, '', FACTS, wide, { far: nobody }), { status: 500, text: nobody.why })
  for (const garbage of [[{ name: 7 }], [null], 'x', {}]) {
    const text = 'rpc error making call: the answer of a server of dc2 is malformed'
    t.deepEqual(await ask('GET', '', here, '', FACTS, wide, { far: garbage }), { status: 500, text })
  }
})

test('who refuses is named with the reason, who is silent is missing among those that succeed', async (t) => {
  const why = 'Keyring is empty (encryption not enabled)'
  t.deepEqual(await ask('GET', '', [answer('n1', { keys: [], why })]), {
    status: 500,
    text: [
      '4 errors occurred:',
      '\t* WAN error: 1/1 nodes reported failure',
      `\t* n1.dc1: ${why}`,
      '\t* dc1 (LAN) error: 1/1 nodes reported failure',
      `\t* n1: ${why}\n\n`,
    ].join('\n'),
  })
  const removed = await ask(
    'DELETE',
    '',
    [answer('n1'), answer('n2', { isServer: false, why: 'Removing the primary key is not allowed' })],
    {
      Key: ONE,
    },
  )
  t.is(
    'text' in removed ? removed.text : '',
    '2 errors occurred:\n\t* dc1 (LAN) error: 1/2 nodes reported failure\n\t* n2: Removing the primary key is not allowed\n\n',
  )
  const silent = await ask('GET', '?local-only=1', [answer('n1'), answer('n2', { keys: [], why: null })])
  t.regex('text' in silent ? (silent.text ?? '') : '', /^1 error occurred:\n\t\* dc1 \(LAN\) error: 1\/2 nodes reported success/)
})

test('what cannot be asked is refused', async (t) => {
  const bad: [string, string, unknown, number, RegExp][] = [
    ['GET', '?relay-factor=9', '', 400, /^Bad request: Invalid relay factor: Relay factor must be in range: \[0, 5\]$/],
    ['GET', '?relay-factor=-1', '', 400, /must be in range/],
    ['GET', '?relay-factor=x', '', 400, /^Bad request: Error parsing relay factor: strconv.Atoi: parsing "x": invalid syntax$/],
    ['GET', '?local-only=maybe', '', 400, /^Bad request: Error parsing local-only: strconv.ParseBool: parsing "maybe": invalid syntax$/],
    ['POST', '?local-only=true', { Key: ONE }, 400, /^Bad request: local-only can only be used for GET requests$/],
    ['POST', '', '{', 400, /^Bad request: Request decode failed: /],
    [
      'POST',
      '',
      { Key: 'ab*d' },
      500,
      /WAN error: illegal base64 data at input byte 2\n\t\* dc1 \(LAN\) error: illegal base64 data at input byte 2/,
    ],
    ['POST', '', { Key: 'AAAA' }, 500, /key size must be 16, 24 or 32 bytes/],
  ]
  for (const [method, query, body, status, text] of bad) {
    const reply = await ask(method, query, [answer('n1')], body)
    t.is('status' in reply ? reply.status : 0, status)
    t.regex('text' in reply ? (reply.text ?? '') : '', text)
  }
  t.deepEqual(await ask('GET', '', [], '', { ...FACTS, server: false }), {
    status: 500,
    text: 'keyring operations must run against a server node',
  })
})
