import test from 'ava'
import fc from 'fast-check'
import { kvTable } from '../../actors/kv/tables.ts'
import { IntentionModel, type RuleAction } from '../../sim/models/intentions.ts'
import { Replay, tableDifference } from '../../sim/models/replay.ts'

const WEB_DB = [{ source: 'web', destination: 'db' }]

test('the most exact rule decides, and a pair is denied since its last reason to be', (t) => {
  const model = new IntentionModel(true, WEB_DB)
  const say = (source: string, destination: string, action: RuleAction, atMs: number) =>
    model.acknowledge(model.ask(source, destination, action, atMs), atMs)
  const isDenied = () => model.deniedSinceMs('web', 'db')
  t.is(isDenied(), undefined)
  say('*', 'db', 'deny', 1)
  t.is(isDenied(), 1)
  say('web', '*', 'allow', 2)
  t.is(isDenied(), 1, 'any destination is less exact than any source')
  say('web', 'db', 'allow', 3)
  t.is(isDenied(), undefined)
  say('web', 'db', 'none', 4)
  t.is(isDenied(), 4)
  say('*', 'db', 'none', 5)
  t.is(isDenied(), undefined)
})

test('what is on its way may hold or not, and what was refused does not', (t) => {
  const model = new IntentionModel(true, WEB_DB)
  const isDenied = () => model.deniedSinceMs('web', 'db') !== undefined
  const first = model.ask('web', 'db', 'deny', 1)
  t.false(isDenied())
  model.acknowledge(first, 2)
  t.true(isDenied())
  const refused = model.ask('web', 'db', 'allow', 3)
  t.false(isDenied())
  model.withdraw(refused, 4)
  t.true(isDenied())
})

test('a change that nobody heard of again is overtaken by a later one only where nothing overtakes', (t) => {
  for (const mayCome of [true, false]) {
    const model = new IntentionModel(true, WEB_DB)
    const lost = model.ask('web', 'db', 'allow', 1)
    model.lose(lost, 5, mayCome)
    model.acknowledge(model.ask('web', 'db', 'deny', 6), 7)
    t.is(model.deniedSinceMs('web', 'db'), mayCome ? undefined : 7)
  }
})

test('what may have become what it once was is sure again once it is changed', (t) => {
  const model = new IntentionModel(true, WEB_DB)
  model.acknowledge(model.ask('web', 'db', 'deny', 1), 2)
  const settled = model.unsettle(3)
  t.is(model.deniedSinceMs('web', 'db'), undefined)
  settled(4)
  t.is(model.deniedSinceMs('web', 'db'), undefined)
  model.acknowledge(model.ask('web', 'db', 'deny', 5), 6)
  t.is(model.deniedSinceMs('web', 'db'), 6)
})

test('of two changes at the same time either may be the last', (t) => {
  const model = new IntentionModel(true, WEB_DB)
  const deny = model.ask('web', 'db', 'deny', 1)
  const allow = model.ask('web', 'db', 'allow', 2)
  model.acknowledge(allow, 3)
  model.acknowledge(deny, 4)
  t.is(model.deniedSinceMs('web', 'db'), undefined)
  model.acknowledge(model.ask('web', 'db', 'deny', 5), 6)
  t.is(model.deniedSinceMs('web', 'db'), 6)
})

test('whatever is said in turn, the model says what the rules say', (t) => {
  const names = fc.constantFrom('web', 'api', '*')
  const change = fc.record({
    source: names,
    destination: fc.constantFrom('db', '*'),
    action: fc.constantFrom<RuleAction>('allow', 'deny', 'none'),
  })
  fc.assert(
    fc.property(fc.array(change), fc.boolean(), (changes, defaultAllow) => {
      const model = new IntentionModel(defaultAllow, WEB_DB)
      const rules = new Map<string, RuleAction>()
      changes.forEach(({ source, destination, action }, atMs) => {
        model.acknowledge(model.ask(source, destination, action, atMs), atMs)
        rules.set(`${source} ${destination}`, action)
      })
      const [said] = ['web db', '* db', 'web *', '* *'].map((name) => rules.get(name) ?? 'none').filter((action) => action !== 'none')
      const isDenied = said === undefined ? !defaultAllow : said === 'deny'
      return isDenied === (model.deniedSinceMs('web', 'db') !== undefined)
    }),
  )
  t.pass()
})

const put = (key: string, value: string) => ({ kind: 'kv.put', atMs: 1, request: { key, value: Buffer.from(value), flags: 0n } })
const remove = (key: string) => ({ kind: 'kv.delete', atMs: 1, request: { key } })

test('a log makes the same tables again, entry by entry', (t) => {
  const entries = [
    { commands: [put('a', '1'), put('b', '1')] },
    { commands: [remove('a')] },
    { commands: [] },
    { commands: [put('a', '2')] },
  ]
  const replay = new Replay(entries)
  const seen = [replay.index]
  while (replay.next()) seen.push(replay.index)
  t.deepEqual(seen, [0, 2, 3, 3, 4])
  t.is(replay.position, 4)
  t.is(replay.view.get(kvTable, 'a')?.createIndex, 4)
})

test('tables that differ are told apart by what is missing, different or too much', (t) => {
  const after = (...commands: object[]) => {
    const replay = new Replay([{ commands }])
    replay.next()
    return replay.view
  }
  const one = after(put('a', '1'), put('b', '1'))
  t.is(tableDifference(one, after(put('a', '1'), put('b', '1'))), undefined)
  t.regex(tableDifference(one, after(put('a', '1'), put('b', '2'))) ?? '', /^kv: "b" is \{.*\} against \{.*\}$/)
  t.regex(tableDifference(one, after(put('a', '1'))) ?? '', /^meta: "index" is/)
  t.regex(tableDifference(one, after(put('a', '1'), put('c', '1'))) ?? '', /^kv: "b" against "c"$/)
  t.is(tableDifference(after(put('b', '1'), put('b', '2')), after(put('a', '1'), remove('a'))), 'kv: "b" is only in the first')
})
