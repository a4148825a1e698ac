import test from 'ava'
import { runCommand, tryCommand } from './kit.ts'

const ID = '9fbdeee8-2754-2b22-666b-a5b5a5dd1e08'
const SETTINGS = {
  CleanupDeadServers: true,
  LastContactThreshold: '200ms',
  MaxTrailingLogs: 250,
  MinQuorum: 0,
  ServerStabilizationTime: '10s',
  RedundancyZoneTag: '',
  DisableUpgradeMigration: false,
  UpgradeVersionTag: '',
  CreateIndex: 4,
  ModifyIndex: 4,
}
const CONFIGURATION = '/v1/operator/autopilot/configuration'

test('the servers are listed and removed', async (t) => {
  const Servers = [{ ID, Node: 'n1', Address: '127.0.0.1:21300', Leader: true, ProtocolVersion: '3', Voter: true }]
  const list = await tryCommand(['operator', 'raft', 'list-peers'], { 'GET /v1/operator/raft/configuration': { json: { Servers } } })
  t.is(
    list.out,
    `Node  ID                                    Address          State   Voter  RaftProtocol\nn1    ${ID}  127.0.0.1:21300  leader  true   3\n`,
  )
  const removed = await tryCommand(['operator', 'raft', 'remove-peer', '-id=x'], { 'DELETE /v1/operator/raft/peer': {} })
  t.is(removed.out, 'Removed peer with id "x"\n')
  t.deepEqual(removed.seen, ['DELETE /v1/operator/raft/peer?id=x'])
  const neither = await runCommand(['operator', 'raft', 'remove-peer'])
  t.is(neither.err, 'Error removing peer: an address or id is required for the peer to remove\n')
  t.is(neither.code, 1)
})

test('the settings of autopilot are shown as in the reference', async (t) => {
  const { out } = await tryCommand(['operator', 'autopilot', 'get-config'], { [`GET ${CONFIGURATION}`]: { json: SETTINGS } })
  t.is(
    out,
    `CleanupDeadServers = true
LastContactThreshold = 200ms
MaxTrailingLogs = 250
MinQuorum = 0
ServerStabilizationTime = 10s
RedundancyZoneTag = ""
DisableUpgradeMigration = false
UpgradeVersionTag = ""
`,
  )
})

test('set-config changes only what is given, and only if nobody else has changed it', async (t) => {
  const answers = { [`GET ${CONFIGURATION}`]: { json: SETTINGS }, [`PUT ${CONFIGURATION}`]: { text: 'true' } }
  const args = ['operator', 'autopilot', 'set-config', '-cleanup-dead-servers=false', '-server-stabilization-time=1m']
  const changed = await tryCommand(args, answers)
  t.is(changed.out, 'Configuration updated!\n')
  t.is(changed.requests[1]?.url, `${CONFIGURATION}?cas=4`)
  const sent: unknown = JSON.parse(changed.requests[1]?.body ?? '')
  t.deepEqual(sent, { ...SETTINGS, CleanupDeadServers: false, ServerStabilizationTime: '1m0s' })
  const lost = await tryCommand(args, { ...answers, [`PUT ${CONFIGURATION}`]: { text: 'false' } })
  t.is(lost.err, 'Configuration could not be atomically updated, please try again\n')
})

test('the state of autopilot is shown as in the reference', async (t) => {
  const server = {
    ID,
    Name: 'n1',
    Address: '127.0.0.1:21300',
    NodeStatus: 'alive',
    Version: '1.10.12',
    LastContact: '0s',
    LastTerm: 2,
    LastIndex: 147,
    Healthy: true,
    Status: 'leader',
    Meta: { 'consul-network-segment': '' },
    NodeType: 'voter',
  }
  const json = { Healthy: true, FailureTolerance: 0, OptimisticFailureTolerance: 0, Leader: ID, Voters: [ID], Servers: { [ID]: server } }
  const { out } = await tryCommand(['operator', 'autopilot', 'state'], { 'GET /v1/operator/autopilot/state': { json } })
  t.regex(out, new RegExp(`^Healthy: {22}true\\n(.*\\n)*Voters:\\n   ${ID}\\nServers:\\n   ${ID}\\n      Name:            n1\\n`))
  t.regex(out, / {6}Meta\n {9}"consul-network-segment": ""\n$/)
})

test('keyring needs exactly one action', async (t) => {
  t.regex((await runCommand(['keyring'])).err, /^Exactly one of /)
  t.regex((await runCommand(['keyring', '-list', '-use=x'])).err, /^Exactly one of /)
  const keys = { k1: 1 }
  const json = [
    { WAN: true, Datacenter: 'dc1', Segment: '', Keys: keys, PrimaryKeys: keys, NumNodes: 1 },
    { WAN: false, Datacenter: 'dc1', Segment: '', Keys: keys, PrimaryKeys: keys, NumNodes: 1 },
  ]
  const list = await tryCommand(['keyring', '-list'], { 'GET /v1/operator/keyring': { json } })
  t.is(list.out, '==> Gathering installed encryption keys...\n\nWAN:\n  k1 [1/1]\n\ndc1 (LAN):\n  k1 [1/1]\n')
  const use = await tryCommand(['keyring', '-use=k2', '-relay-factor=2'], { 'PUT /v1/operator/keyring': {} })
  t.deepEqual(use.seen, ['PUT /v1/operator/keyring?relay-factor=2 {"Key":"k2"}'])
})

test('join counts who answered, force-leave is silent', async (t) => {
  const some = await tryCommand(['join', 'a', 'b'], { 'PUT /v1/agent/join/a': {}, 'PUT /v1/agent/join/b': { status: 500, text: 'no' } })
  t.is(some.out, 'Successfully joined cluster by contacting 1 nodes.\n')
  t.is(some.err, `Error joining address 'b': Unexpected response code: 500 (no)\n`)
  const none = await tryCommand(['join', 'x'], {})
  t.regex(none.err, /Failed to join any nodes\.\n$/)
  t.is(none.code, 1)
  const left = await tryCommand(['force-leave', '-prune', 'n3'], { 'PUT /v1/agent/force-leave/n3': {} })
  t.is(left.out + left.err, '')
  t.deepEqual(left.seen, ['PUT /v1/agent/force-leave/n3?prune=1'])
})

test('monitor prints what comes and says when the agent ends it', async (t) => {
  const { code, out, seen } = await tryCommand(['monitor', '-log-level=debug', '-log-json'], {
    'GET /v1/agent/monitor': { text: 'a\nb\n' },
  })
  t.is(out, 'a\nb\n\nRemote side ended the monitor! This usually means that the\nremote side has exited or crashed.\n')
  t.is(code, 1)
  t.deepEqual(seen, ['GET /v1/agent/monitor?logjson=true&loglevel=debug'])
  const bad = await tryCommand(['monitor', '-log-level=foo'], {
    'GET /v1/agent/monitor': { status: 400, text: 'Bad request: Unknown log level: foo' },
  })
  t.is(bad.err, 'Error starting monitor: Unexpected response code: 400 (Bad request: Unknown log level: foo)\n')
})

test('a server alone is prepared for sharing its state, or it is said why not', async (t) => {
  const MIGRATE = 'PUT /v1/tribune/servers/migrate'
  const done = await tryCommand(['operator', 'log', 'migrate'], { [MIGRATE]: { json: { Log: ID } } })
  t.regex(done.out, /^Prepared! Start this server again with -bootstrap-expect=3/)
  const refused = await tryCommand(['operator', 'log', 'migrate'], {
    [MIGRATE]: { status: 409, text: 'this server shares its state already' },
  })
  t.is(refused.err, 'Error preparing the server: Unexpected response code: 409 (this server shares its state already)\n')
})
