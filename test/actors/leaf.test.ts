import test from 'ava'
import type { SignedLeaf } from '../../actors/ca/protocol.ts'
import { caRef } from '../../actors/ca/protocol.ts'
import type { TrustBundle } from '../../actors/ca/queries.ts'
import { feedsRef } from '../../actors/feeds/protocol.ts'
import { leaf } from '../../actors/leaf/index.ts'
import { serialText } from '../../actors/spiffe.ts'
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
  rootIds: ['r1'],
  rootsPem: ['root'],
  rootNames: ['root'],
}
const WEB = { service: 'web', token: '' }
const SIGNED: Omit<SignedLeaf, 'validAfterMs' | 'validBeforeMs'> = {
  certPem: 'cert',
  serial: 1,
  serialText: '01',
  uri: 'spiffe://td.consul/ns/default/dc/dc1/svc/web',
  rootId: 'r1',
  signingKeyId: 'k1',
}

/** `kept`: what the agent's store has from before. */
function tryLeaf(kept: object[] = [], keeps = false) {
  const a = tryActor(leaf, { args: { enabled: true, datacenter: 'dc1', ca: caRef, feeds: feedsRef, keeps }, nowMs: 1_000_000 })
  let serial = 0
  a.outcome('store', { records: kept as never })
  a.outcome('store', { records: [] })
  return {
    a,
    /** Plays the signer and the authority. */
    issue(signingKeyId = 'k1') {
      a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
      serial++
      const validAfterMs = a.nowMs - 60_000
      a.answer('sign', {
        ...SIGNED,
        certPem: `cert ${serial}`,
        serial,
        serialText: serialText(serial),
        signingKeyId,
        validAfterMs,
        validBeforeMs: validAfterMs + TTL_MS,
      })
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
  t.like(granted(first.result ?? refuse('late', '')), {
    cached: false,
    leaf: { serial: '01', index: 1_000, keyPem: 'key', certPem: 'cert 1' },
  })
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
  while (a.acts('signer').length === 0) a.wait(10_000)
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
  const due = feed.values.at(-1)?.renewAtMs ?? 0
  t.true(due - a.nowMs <= 30_000, 'followers are told when')
  a.setClock(-HOUR_MS)
  for (let second = 0; second < 30 && a.acts('signer').length === 0; second++) a.wait(1_000)
  issue('k2')
  t.is(feed.values.at(-1)?.signingKeyId, 'k2')

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
  for (let untilMs = a.nowMs + 80 * HOUR_MS; a.nowMs < untilMs; a.wait(10_000)) if (a.acts('signer').length > 0) issue()
  t.is(a.state.entries.size, 0)
})

test('names that are none are refused', (t) => {
  const { a } = tryLeaf()
  t.deepEqual(a.call('get', { service: '', token: '' }).result, { refused: 'conflict', why: 'URI must be either service or agent' })
  const tooLong = refused(a.call('get', { service: 'x'.repeat(600), token: '' }).result)
  t.is(tooLong.refused, 'invalid')
  t.regex(tooLong.why, /longer than 512/)
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

test('a leaf with less than a tenth of its life left is given to nobody: the request makes a new one', (t) => {
  for (const agedMs of [TTL_MS * 0.89, TTL_MS * 0.91, TTL_MS * 1.5]) {
    const { a, issue } = tryLeaf()
    a.value('roots', BUNDLE)
    a.call('get', WEB)
    issue()
    // A machine that slept: its timers are late.
    a.setClock(agedMs)
    const asked = a.call('get', WEB)
    const feed = a.subscribe('leaf', WEB)
    if (agedMs < TTL_MS * 0.9) {
      t.like(granted(asked.result ?? refuse('late', '')), { cached: true })
      t.is(feed.values.length, 1)
      continue
    }
    t.is(asked.result, undefined)
    t.deepEqual(feed.values, [])
    issue()
    t.like(granted(asked.result ?? refuse('late', '')), { cached: false, leaf: { serial: '02' } })
    t.is(feed.values[0]?.serial, '02')
  }
})

test('if the authority signs no new one, the refusal says why', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  a.call('get', WEB)
  issue()
  a.setClock(TTL_MS * 0.95)
  const asked = a.call('get', WEB)
  a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
  a.answer('sign', refuse('gone', 'no route to the authority'))
  t.deepEqual(asked.result, {
    refused: 'gone',
    why: 'the certificate is not valid for long enough, and a new one could not be had: no route to the authority',
  })
})

test('while the authority is away a leaf of the old root is given as long as it lives', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  a.call('get', WEB)
  issue()
  a.value('roots', { ...BUNDLE, activeRootId: 'r2', signingKeyId: 'k2' })
  const asked = a.call('get', WEB)
  a.outcome('signer', refuse('busy', 'no entropy'))
  t.like(granted(asked.result ?? refuse('late', '')), { cached: true, leaf: { serial: '01' } })
})

test('an authority that is away for days is asked again and again, at most a minute apart, and followers hear why', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  issue()
  const endsMs = feed.values[0]?.validBeforeMs ?? 0
  let tries = 0
  let lastMs = 0
  while (a.nowMs < endsMs + 24 * HOUR_MS) {
    a.wait(1_000)
    if (a.acts('signer').length === 0) continue
    if (tries > 10) t.true(a.nowMs - lastMs <= 62_000)
    lastMs = a.nowMs
    tries++
    a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
    a.answer('sign', refuse('gone', 'no route to the authority'))
  }
  t.true(tries > 1_000)
  t.deepEqual(
    feed.values.map(({ serial, renewalWhy }) => [serial, renewalWhy]),
    [
      ['01', ''],
      ['01', 'no route to the authority'],
    ],
    'the same reason is told once',
  )
  while (a.acts('signer').length === 0) a.wait(1_000)
  issue()
  t.like(feed.values.at(-1), { serial: '02', renewalWhy: '' })
})

test('a try that brings nothing is given up, and what it brings later is not taken', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  const asked = a.call('get', WEB)
  a.wait(15_000)
  t.is(refused(asked.result).why, 'nobody has signed it in time')
  a.wait(1_000)
  a.outcome('signer', { keyPem: 'of the first try', csrPem: 'csr' })
  t.deepEqual(a.pending(), [])
  issue()
  t.deepEqual(
    feed.values.map(({ keyPem }) => keyPem),
    ['key'],
  )
})

test('a root that changes while a leaf is being signed has that leaf made anew soon', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  const feed = a.subscribe('leaf', WEB)
  a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
  a.value('roots', { ...BUNDLE, activeRootId: 'r2', signingKeyId: 'k2' })
  a.answer('sign', { ...SIGNED, validAfterMs: a.nowMs, validBeforeMs: a.nowMs + TTL_MS })
  t.is(feed.values.length, 1)
  for (let second = 0; second <= 30 && a.acts('signer').length === 0; second++) a.wait(1_000)
  issue('k2')
  t.is(feed.values.at(-1)?.signingKeyId, 'k2')
})

test('the index of leaves grows across restarts, whatever the clock and the authority do', (t) => {
  const kept = { kind: 'leaf-index', key: 'reserved', record: { until: 5_000_000 } }
  const { a, issue } = tryLeaf([{ kind: 'proxy-port', key: 'web', record: { port: 1 } }, kept])
  a.value('roots', BUNDLE)
  const first = a.call('get', WEB)
  issue()
  t.is(granted(first.result ?? refuse('late', '')).leaf.index, 5_000_000)
  t.deepEqual(
    a.effects().find((effect) => effect.did === 'act' && effect.device === 'store' && (effect.request as { do: string }).do === 'save'),
    { did: 'act', device: 'store', request: { do: 'save', kind: 'leaf-index', key: 'reserved', record: { until: 6_000_000 } } },
  )
  a.setClock(-900_000)
  a.restart()
  a.outcome('store', { records: [{ ...kept, record: { until: 6_000_000 } }] })
  a.value('roots', BUNDLE)
  const early = a.call('get', WEB)
  t.deepEqual(a.acts('signer'), [], 'none is given before the next ones are reserved')
  a.outcome('store', { records: [] })
  issue()
  t.is(granted(early.result ?? refuse('late', '')).leaf.index, 6_000_000)
})

test('an agent that can keep nothing gives leaves all the same, numbered by the clock', (t) => {
  const { a } = { a: tryActor(leaf, { args: { enabled: true, datacenter: 'dc1', ca: caRef, feeds: feedsRef }, nowMs: 7_000_000 }) }
  a.outcome('store', refuse('busy', 'the disk is full'))
  a.outcome('store', refuse('busy', 'the disk is full'))
  a.value('roots', BUNDLE)
  const asked = a.call('get', WEB)
  a.outcome('signer', { keyPem: 'key', csrPem: 'csr' })
  a.answer('sign', { ...SIGNED, validAfterMs: a.nowMs, validBeforeMs: a.nowMs + TTL_MS })
  t.is(granted(asked.result ?? refuse('late', '')).leaf.index, 7_000)
})

test('a client agent keeps its leaves: after a start they are there without any server', (t) => {
  const { a, issue } = tryLeaf([], true)
  a.value('roots', BUNDLE)
  a.call('get', WEB)
  issue()
  const [saved] = a.acts('store') as { kind: string; key: string; record: { serial: string } }[]
  t.like(saved, { do: 'save', kind: 'leaf', key: 'web', record: { certPem: 'cert 1', keyPem: 'key' } })

  const next = tryLeaf([saved as object], true)
  const got = next.a.call('get', WEB)
  t.like(granted(got.result ?? refuse('late', '')), { cached: true, leaf: { certPem: 'cert 1' } })
  t.is(next.a.subscribe('leaf', WEB).values.at(-1)?.certPem, 'cert 1')
  t.deepEqual(next.a.acts('signer'), [])
  next.a.value('roots', { ...BUNDLE, activeRootId: 'r2', signingKeyId: 'k2' })
  next.a.call('get', WEB)
  t.is(next.a.acts('signer').length, 1, 'one of another root is not enough once the roots are known')
})

test('kept leaves that have ended are forgotten', (t) => {
  const record = { service: 'web', validAfterMs: 0, validBeforeMs: 999_999 }
  const a = tryActor(leaf, { args: { enabled: true, datacenter: 'dc1', ca: caRef, feeds: feedsRef, keeps: true }, nowMs: 1_000_000 })
  a.outcome('store', { records: [{ kind: 'leaf', key: 'web', record }] })
  t.deepEqual(a.acts('store')[0], { do: 'remove', kind: 'leaf', key: 'web' })
})

test('a leaf is found by its service and serial number as long as it is the present one, and finding makes none', (t) => {
  const { a, issue } = tryLeaf()
  a.value('roots', BUNDLE)
  t.is(a.call('find', { service: 'web', serial: '01' }).result, null)
  t.deepEqual(a.acts('signer'), [])
  a.call('get', WEB)
  issue()
  const found = a.call('find', { service: 'web', serial: '01' }).result
  t.like(found, { signingKeyId: 'k1', issuedMs: 1_000_000, renewalWhy: '' })
  t.is(a.call('find', { service: 'web', serial: '02' }).result, null)
  t.is(a.call('find', { service: 'db', serial: '01' }).result, null)
})
