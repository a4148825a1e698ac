import test from 'ava'
import { tryCommand } from './kit.ts'

test('event sends a payload with filters and prints the id', async (t) => {
  const tried = await tryCommand(['event', '-name=deploy', '-node=n.*', '-service=web', '-tag=v1', '1.4.2'], {
    'PUT /v1/event/fire/deploy': { json: { ID: '38d71de4' } },
  })
  t.is(tried.out, 'Event ID: 38d71de4\n')
  t.is(tried.code, 0)
  t.deepEqual(tried.seen, ['PUT /v1/event/fire/deploy?node=n.*&service=web&tag=v1 1.4.2'])
})

test('event says what is wrong before anything is sent', async (t) => {
  const wrong: [args: string[], err: RegExp][] = [
    [[], /^Event name must be specified\n/],
    [['-name=a', '-tag=x'], /^Cannot provide tag filter without service filter\.\n$/],
    [['-name=a', '-node=('], /^Failed to compile node filter regexp: error parsing regexp: missing closing \): `\(`\n$/],
    [['-name=a', 'x', 'y'], /^Too many command line arguments\.\n/],
  ]
  for (const [args, err] of wrong) {
    const tried = await tryCommand(['event', ...args], {})
    t.is(tried.code, 1)
    t.regex(tried.err, err)
    t.deepEqual(tried.seen, [])
  }
})

const place = (Node: string, first: number, Segment = '') => ({
  Node,
  Segment,
  Coord: { Vec: [first, 0, 0, 0, 0, 0, 0, 0], Error: 1.5, Adjustment: 0, Height: 1e-5 },
})

test('rtt estimates between two nodes, or a node and the agent', async (t) => {
  const answers = {
    'GET /v1/coordinate/nodes': { json: [place('n1', 0), place('n2', 0.001)] },
    'GET /v1/agent/self': { json: { Config: { NodeName: 'n1', Datacenter: 'dc1' } } },
  }
  t.is((await tryCommand(['rtt', 'n1', 'n2'], answers)).out, 'Estimated n1 <-> n2 rtt: 1.020 ms (using LAN coordinates)\n')
  t.is((await tryCommand(['rtt', 'n1'], answers)).out, 'Estimated n1 <-> n1 rtt: 0.020 ms (using LAN coordinates)\n')
  const missing = await tryCommand(['rtt', 'n1', 'nope'], answers)
  t.is(missing.err, 'Could not find a coordinate for node "nope"\n')
  t.is(missing.code, 1)
  t.regex((await tryCommand(['rtt'], answers)).err, /^One or two node names must be specified\n/)
})

test('rtt between servers of datacenters wants both parts of a name', async (t) => {
  const answers = {
    'GET /v1/coordinate/datacenters': { json: [{ Datacenter: 'dc1', AreaID: 'wan', Coordinates: [place('n1', 0)] }] },
    'GET /v1/agent/self': { json: { Config: { NodeName: 'n1', Datacenter: 'dc1' } } },
  }
  t.is((await tryCommand(['rtt', '-wan', 'n1.dc1'], answers)).out, 'Estimated n1.dc1 <-> n1.dc1 rtt: 0.020 ms (using WAN coordinates)\n')
  t.is((await tryCommand(['rtt', '-wan', 'n1'], answers)).err, 'Node names must be specified as <node name>.<datacenter> with -wan\n')
})
