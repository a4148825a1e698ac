import test from 'ava'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { run } from '../kit/http.ts'

const PROXY: ManagedProxy = {
  serviceId: 'web-1',
  service: 'web',
  phase: 'listening',
  why: '',
  status: {
    phase: 'listening',
    why: '',
    refused: '',
    address: '10.0.0.1',
    port: 20_000,
    upstreams: [
      {
        service: 'near',
        query: true,
        address: '',
        port: 0,
        socketPath: '/run/near.sock',
        phase: 'failed',
        why: 'permission denied',
        instances: 2,
        ejected: ['n1 db-1 10.0.0.2 20000'],
        open: 1,
      },
    ],
    inboundOpen: 1,
    accepted: 5,
    refusedConnections: 2,
    closedByIntentions: 0,
    refusals: [{ side: 'inbound', kind: 'limit', count: 2 }],
    pairs: [{ side: 'from', service: 'api', accepted: 5, refused: 0, open: 1, receivedBytes: 10, sentBytes: 20 }],
    rootsIndex: 3,
    bundle: ['r'],
    leafSerial: '0a',
    leafKeyId: 'k',
    leafIssuedMs: 0,
    leafRenewAtMs: Date.UTC(2026, 10, 23, 6),
    leafWhy: '',
    leafValidUntilMs: 0,
    intentionIndex: 7,
    enforcedMs: 4,
    closedConnections: 0,
  },
}

test('/v1/tribune/proxies shows each sidecar with its upstreams, its limits and what goes through it', async (t) => {
  const stopped: ManagedProxy = { serviceId: 'db', service: 'db', phase: 'stopped', why: 'no port is left', status: null }
  t.deepEqual(await run('GET', '/v1/tribune/proxies', { list: [PROXY, stopped] }), {
    json: [
      {
        ServiceID: 'web-1',
        Service: 'web',
        State: 'listening',
        Reason: '',
        Address: '10.0.0.1',
        Port: 20_000,
        ConnectionsOpen: 1,
        ConnectionsAccepted: 5,
        ConnectionsRefused: 2,
        RefusedByReason: [{ Direction: 'inbound', Kind: 'limit', Count: 2 }],
        ClosedByIntentions: 0,
        IntentionIndex: 7,
        EnforcedMs: 4,
        RootsIndex: 3,
        TrustedRoots: ['r'],
        LeafSerialNumber: '0a',
        LeafSigningKeyID: 'k',
        LeafRenewAt: '2026-11-23T06:00:00Z',
        LeafRenewalProblem: '',
        LeafValidBefore: null,
        Upstreams: [
          {
            Service: 'near',
            Type: 'prepared_query',
            Address: '',
            Port: 0,
            SocketPath: '/run/near.sock',
            State: 'failed',
            Reason: 'permission denied',
            HealthyInstances: 2,
            LeftOut: ['n1 db-1 10.0.0.2 20000'],
            ConnectionsOpen: 1,
          },
        ],
        Pairs: [{ Direction: 'inbound', Service: 'api', Accepted: 5, Refused: 0, Open: 1, ReceivedBytes: 10, SentBytes: 20 }],
      },
      { ServiceID: 'db', Service: 'db', State: 'stopped', Reason: 'no port is left' },
    ],
  })
})
