import test from 'ava'
import { asked, requested, settings } from '../kit/http.ts'

const PATH = '/v1/operator/autopilot/configuration'

test('autopilot settings are decoded, what is missing is zero', (t) => {
  const found = asked('PUT', `${PATH}?cas=3`, {
    cleanupDeadServers: true,
    LastContactThreshold: '1s',
    ServerStabilizationTime: 5e9,
    MaxTrailingLogs: 7,
  })
  t.like(found, {
    name: 'set',
    request: {
      cas: 3,
      settings: { cleanupDeadServers: true, lastContactThresholdMs: 1_000, serverStabilizationTimeMs: 5_000, minQuorum: 0 },
    },
  })
  for (const body of ['{', { LastContactThreshold: 'x' }, { Foo: 1 }, { MinQuorum: -1 }, { MaxTrailingLogs: 1.5 }]) {
    const wrong = asked('PUT', PATH, body)
    t.like(wrong, { status: 400 })
    t.regex('text' in wrong ? (wrong.text ?? '') : '', /^Bad request: Error parsing autopilot config: /)
  }
  t.like(asked('PUT', `${PATH}?cas=x`, {}), { status: 400 })
})

test('every keyring operation tells that there are no keys, or that they are those of the configuration', (t) => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const { route, request } = requested(method, '/v1/operator/keyring', { Key: 'x' })
    t.like(asked(method, '/v1/operator/keyring', { Key: 'x' }), { name: 'facts' })
    const reply = 'reply' in route ? route.reply({ node: 'n1', datacenter: 'dc1' } as never, request, settings) : {}
    t.is(reply.status, 500)
    t.regex(
      reply.text ?? '',
      /^4 errors occurred:\n\t\* WAN error: 1\/1 nodes reported failure\n\t\* n1\.dc1: Keyring is empty \(encryption not enabled\)\n/,
    )
  }
  const { route, request } = requested('GET', '/v1/operator/keyring')
  const encrypted = 'reply' in route ? route.reply({ node: 'n1', datacenter: 'dc1', isEncrypted: true } as never, request, settings) : {}
  t.regex(encrypted.text ?? '', /n1: this version takes its one key from "encrypt" and neither shows nor changes it while it runs/)
  t.like(asked('GET', '/v1/operator/keyring?relay-factor=9'), { status: 400 })
  t.like(asked('GET', '/v1/operator/keyring?local-only=maybe'), { status: 400 })
})
