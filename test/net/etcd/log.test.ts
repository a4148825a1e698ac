import test from 'ava'
import { connectEtcd } from '../../../net/etcd/client.ts'
import { ENTRY_BYTES_MAX, packEntry, piecesOf, readEntry } from '../../../net/etcd/entry.ts'
import { etcdKeys } from '../../../net/etcd/keys.ts'
import { startEtcd } from '../../kit/etcd.ts'
import { type Add, contents, history, startEtcdNode } from '../../ports/log-arms.ts'

test('several servers append at once: all have the same order, and each is answered by its own application', async (t) => {
  const etcd = await startEtcd(t)
  const trials = ['n1', 'n2', 'n3'].map((name) => startEtcdNode(t, name, etcd))
  for (const { node } of trials) for (let n = 20; n < 40; n++) node.propose([{ key: node.name, n }])
  await Promise.all(trials.map(({ events }) => events(3 * 20 + 20)))
  const [first, ...others] = trials.map(({ node }) => contents(node.tables.view()))
  t.deepEqual(others, [first, first])
  for (const { node } of trials) {
    const own = history(node.tables.view()).filter((what) => what.startsWith(node.name))
    t.deepEqual(
      own,
      Array.from({ length: 20 }, (_, n) => `${node.name}+${n + 20}`),
    )
  }
})

test('a read that asks first sees what any server was answered; a server that comes later gets everything', async (t) => {
  const etcd = await startEtcd(t)
  const [a, b] = [startEtcdNode(t, 'n1', etcd), startEtcdNode(t, 'n2', etcd)]
  for (let n = 20; n < 30; n++) {
    const before = a.node.events.length
    const answered = Promise.withResolvers<void>()
    a.node.propose([{ key: 'a', n }], () => answered.resolve())
    await answered.promise
    t.true(a.node.events.length > before)
    const read = Promise.withResolvers<void>()
    b.node.propose([], () => read.resolve())
    await read.promise
    t.is(history(b.node.tables.view()).at(-1), `a+${n}`)
  }
  const late = startEtcdNode(t, 'n3', etcd)
  await late.events(10)
  t.is(contents(late.node.tables.view()), contents(a.node.tables.view()))
})

test('without etcd there is no leader; what was on its way may have happened, and what it did not is known once etcd is back', async (t) => {
  const etcd = await startEtcd(t)
  const trial = startEtcdNode(t, 'n1', etcd)
  trial.node.propose([{ key: 'a', n: 1 }])
  await trial.events(2)
  etcd.signal('SIGSTOP')
  trial.node.propose([{ key: 'a', n: 2 }])
  trial.node.propose([])
  await trial.events(4)
  t.deepEqual(trial.node.events.slice(2), [
    { refused: 'busy', why: 'No cluster leader' },
    { refused: 'late', why: 'nobody answered in time: the change may have been carried out' },
  ])
  etcd.signal('SIGCONT')
  const outcome = await new Promise<object>((resolve) => trial.node.propose([{ key: 'a', n: 3 }], resolve))
  t.false('refused' in outcome)
  t.is(history(trial.node.tables.view()).at(-1), 'a+3')
})

test('a server that has not joined the log yet lets reads wait for it', async (t) => {
  const etcd = await startEtcd(t)
  const first = startEtcdNode(t, 'n1', etcd)
  first.node.propose([{ key: 'a', n: 1 }])
  await first.events(2)
  const second = startEtcdNode(t, 'n2', etcd)
  const read = await new Promise<object>((resolve) => second.node.propose([], resolve))
  t.false('refused' in read, JSON.stringify(read))
  t.deepEqual(history(second.node.tables.view()), ['a+1'])
})

test('an etcd that never answers, or is not there: nothing has happened', async (t) => {
  const trial = startEtcdNode(t, 'n1', { endpoint: { host: '127.0.0.1', port: 9, tls: false } })
  trial.node.propose([{ key: 'a', n: 1 }])
  trial.node.propose([])
  await trial.events(2)
  const nothing = { refused: 'busy', why: 'No cluster leader' }
  t.deepEqual(trial.node.events, [nothing, nothing])
})

test('a log that has lost entries, or is another one, is not followed', async (t) => {
  const etcd = await startEtcd(t)
  const trial = startEtcdNode(t, 'n1', etcd)
  trial.node.propose([{ key: 'a', n: 1 }])
  await trial.events(2)
  const keys = etcdKeys('dc1')
  const client = connectEtcd({ endpoints: [etcd.endpoint], files: {} })
  t.teardown(() => client.close())
  await trial.log.close()
  await client.txn({ when: [], then: [{ do: 'delete', key: keys.log }] })
  const again = startEtcdNode(t, 'n1', etcd, trial.node.tables)
  await t.throwsAsync(again.events(1), { message: 'etcd has lost entries of the log: it has 0, this server has 1' })
  await client.txn({ when: [], then: [{ do: 'put', key: keys.origin, value: 'other' }] })
  const other = startEtcdNode(t, 'n1', etcd, trial.node.tables)
  await t.throwsAsync(other.events(1), { message: /^the data directory is a copy of the log .*, but etcd has the log other: / })
})

test('a group that is too large for one entry is several; a command that is too large for any is refused', (t) => {
  const value = Buffer.alloc(600_000, 1)
  const commands: object[] = [{ value }, { value }, { value }, { flags: 2n ** 63n, at: 1e12, key: 'k' }]
  const pieces = piecesOf(commands)
  t.true(Array.isArray(pieces))
  if (!Array.isArray(pieces)) return
  t.deepEqual(
    pieces.map(({ count }) => count),
    [2, 2],
  )
  const entries = pieces.map((piece) => packEntry('id', piece))
  t.true(entries.every(({ byteLength }) => byteLength < ENTRY_BYTES_MAX + 100))
  t.deepEqual(
    entries.flatMap((entry) => readEntry(entry).commands),
    commands,
  )
  t.like(piecesOf([{ value: Buffer.alloc(ENTRY_BYTES_MAX) }]), { refused: 'invalid' })
  t.throws(() => readEntry(Buffer.from([1])), { message: 'an entry of the log is malformed' })
})

test('a group of several entries is answered as one', async (t) => {
  const trial = startEtcdNode(t, 'n1', await startEtcd(t))
  const padding = 'x'.repeat(600_000)
  const long = (n: number): Add & { padding: string } => ({ key: 'a', n, padding })
  trial.node.propose([long(1), long(2), long(-1), long(3)])
  await trial.events(3)
  t.deepEqual(trial.node.events.at(-1), [1, 3, { refused: 'invalid', why: 'n must not be negative' }, 6])
})
