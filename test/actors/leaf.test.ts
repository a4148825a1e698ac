import test from 'ava'
import type { SignedLeaf } from '../../actors/ca/protocol.ts'
import { caRef } from '../../actors/ca/protocol.ts'
import type { TrustBundle } from '../../actors/ca/queries.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leaf } from '../../actors/leaf/index.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { tryActor } from '../kit/try-actor.ts'

const HOUR_MS = 3_600_000
const TTL_MS = 72 * HOUR_MS
const BUNDLE: TrustBundle = {
  trustDomain: 'td.consul',
  activeRootId: 'r1',
  signingKeyId: 'k1',
  keyType: 'ec',
  keyBits: 256,
  rootsPem: ['root'],
  rootNames: ['root'],
}
const WEB = { service: 'web', token: '' }

function tryLeaf() {
  const a = tryActor(leaf, { args: { enabled: true, datacenter: 'dc1', ca: caRef, feeds: feedsRef }, nowMs: 1_000_000 })
  let serial = 0
  return {
    a,
    /** Plays the signer and the authority. */
    issue(signingKeyId = 'k1') {
      a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
      const signed: SignedLeaf = {
        certPem: `cert ${++serial}`,
        serial,
        uri: 'spiffe://td.consul/ns/default/dc/dc1/svc/web',
        rootId: 'r1',
        signingKeyId,
        validAfterMs: a.nowMs - 60_000,
        validBeforeMs: a.nowMs - 60_000 + TTL_MS,
      }
      a.answer('sign', signed)
    },
  }
}

test('the first question makes a key and has it signed, the next ones get the same leaf', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const first = a.call('get', WEB)
  t.deepEqual(a.acts('signer'), [
    {
      do: 'key',
      type: 'ec',
      bits: 256,
      request: { commonName: 'web.svc.default.td.consul', uri: 'spiffe://td.consul/ns/default/dc/dc1/svc/web' },
    },
  ])
  const meanwhile = a.call('get', WEB)
  issue()
  t.like(granted(first.result ?? refuse('late', '')), { cached: false, leaf: { serial: '01', index: 1, keyPem: 'key', certPem: 'cert 1' } })
  t.deepEqual(meanwhile.result, first.result)
  a.wait(5_000)
  t.like(granted(a.call('get', WEB).result ?? refuse('late', '')), { cached: true, ageMs: 5_000 })
  t.deepEqual(a.acts('signer'), [])
})

test('who asks before there is an authority waits for it, but not for ever', (t) => {
  const { a, issue } = tryLeaf()
  const early = a.call('get', WEB)
  a.wait(1_000)
  a.value('roots', BUNDLE)
  issue()
  t.false('refused' in (early.result ?? {}))

  const other = tryLeaf().a
  const tooEarly = other.call('get', WEB)
  other.wait(60_000)
  t.is(refused(tooEarly.result).why, 'the certificate authority is not ready yet')
})

test('a leaf is renewed between 60 and 90 percent of its life, and followers get the new one', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  issue()
  const beganMs = a.nowMs
  a.wait(TTL_MS * 0.59)
  t.deepEqual(a.acts('signer'), [])
  while (a.acts('signer').length === 0) a.wait(60_000)
  t.true(a.nowMs - beganMs < TTL_MS * 0.91)
  issue()
  t.deepEqual(
    feed.values.map(({ serial }) => serial),
    ['01', '02'],
  )
})

test('a clock that is set makes a leaf due: back, before it begins, or forward, beyond its time', (t) => {
  for (const byMs of [-10 * 60_000, TTL_MS]) {
    const { a, issue } = tryLeaf()
    a.value('roots', BUNDLE)
    const feed = a.subscribe('leaf', WEB)
    issue()
    a.wait(1_000)
    a.setClock(byMs)
    a.wait(30_000)
    issue()
    t.deepEqual(
      feed.values.map(({ serial }) => serial),
      ['01', '02'],
    )
  }
})

test('a first leaf that failed is tried again by the timer, also if the clock is set back meanwhile', (t) => {
  const { a } = tryLeaf()
  a.value('roots', BUNDLE)
  a.subscribe('leaf', WEB)
  a.outcome('signer', refuse('busy', 'no entropy'))
  a.setClock(-HOUR_MS)
  a.wait(1_000)
  t.is(a.acts('signer').length, 1)
})

test('a new root has followed leaves made anew within 30 seconds, others when they are asked for', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  issue()
  a.value('roots', { ...BUNDLE, activeRootId: 'r2', signingKeyId: 'k2' })
  a.wait(30_000)
  issue('k2')
  t.is(feed.values.length, 2)

  const plain = tryLeaf()
  plain.a.value('roots', BUNDLE)
  plain.a.call('get', WEB)
  plain.issue()
  plain.a.value('roots', { ...BUNDLE, activeRootId: 'r2', signingKeyId: 'k2' })
  const again = plain.a.call('get', WEB)
  plain.issue('k2')
  t.like(granted(again.result ?? refuse('late', '')), { cached: false })
})

test('a refused signature is told to who waits and tried again for who follows', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  const call = a.call('get', WEB)
  a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
  a.answer('sign', refuse('busy', 'Rate limit reached, try again later'))
  t.like(refused(call.result), { refused: 'busy' })
  a.wait(1_000)
  issue()
  t.is(feed.values.length, 1)
})

test('a name whose first leaf is refused and that nobody follows is forgotten', (t) => {
  const { a } = tryLeaf()
  a.value('roots', BUNDLE)
  a.call('get', WEB)
  a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
  a.answer('sign', refuse('invalid', 'no'))
  t.is(a.state.entries.size, 0)
  t.deepEqual(a.timers(), [])
})

test('leaves that nobody asked for in 72 hours are dropped', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  a.call('get', WEB)
  issue()
  for (let hour = 0; hour < 80; hour++) {
    a.wait(HOUR_MS)
    if (a.acts('signer').length > 0) issue()
  }
  t.is(a.state.entries.size, 0)
})

test('names that are none are refused', (t) => {
  const { a } = tryLeaf()
  t.is(refused(a.call('get', { service: '', token: '' }).result).why, 'URI must be either service or agent')
  t.regex(refused(a.call('get', { service: 'x'.repeat(600), token: '' }).result).why, /longer than 512/)
})

test('names without number do not fill the memory: the one unused longest makes room', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const names = Array.from({ length: 20_002 }, (_, number) => `svc-${number}`)
  const followed = a.subscribe('leaf', { service: 'svc-0', token: '' })
  issue()
  for (const service of names.slice(1)) {
    a.call('get', { service, token: '' })
    issue()
  }
  t.is(a.state.entries.size, 20_000)
  t.true(a.state.entries.has('svc-0'))
  t.false(a.state.entries.has('svc-1'))
  t.is(followed.values.length, 1)
})
