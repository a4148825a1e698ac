import test from 'ava'
import { asked } from '../kit/http.ts'

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
