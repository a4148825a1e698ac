import test from 'ava'
import { refuse } from '../../src/kernel/refusal.ts'
import { connect, isListen, listening, NOW_MS, n2, n3, say } from '../kit/membership.ts'

test('what is told reaches this agent too, counts once and has a time after all that was known', (t) => {
  const a = listening()
  connect(a, n2)
  const feed = a.subscribe('told', { topic: 'user' })
  const told = { id: 'e1', topic: 'user', from: 'n2', lamportTime: 40, body: { word: 'hi' } }
  say(a, n2, { is: 'told', told }, { is: 'told', told })
  t.deepEqual(feed.values.at(-1), [told])
  t.deepEqual(a.call('tell', { topic: 'user', body: { word: 'you' } }).result, { lamportTime: 41 })
  t.deepEqual(
    feed.values.at(-1)?.map(({ body }) => body),
    [{ word: 'hi' }, { word: 'you' }],
  )
  t.is(feed.index, 2)
  t.like(a.call('tell', { topic: 'user', body: { word: 'x'.repeat(1_100) } }).result, { refused: 'invalid' })
})

test('what is published counts only as its publisher', (t) => {
  const a = listening([n2, n3])
  const told = { id: 'e1', topic: 'user', from: 'n2', lamportTime: 4, body: {} }
  const published = (from: string, via: string[]) =>
    a.event('gossip', { did: 'published', from, topic: 'tribune/members/1', message: { rumours: [{ is: 'told', told, via }] } }, isListen)
  published(n3.peer, ['n2'])
  published(n2.peer, ['n3', 'n2'])
  t.is(a.state.told.get('user')?.count ?? 0, 0)
  published(n2.peer, ['n2'])
  t.is(a.state.told.get('user')?.count, 1)
})

test('tags are told to others, and may not be long', (t) => {
  const a = listening()
  t.is(a.call('tag', { tags: { role: 'web' } }).result, null)
  t.like(a.state.self, { tags: { role: 'web' }, incarnation: NOW_MS + 1 })
  t.deepEqual(a.call('tag', { tags: { role: 'x'.repeat(600) } }).result, refuse('invalid', 'tags: 604 characters, 512 are allowed'))
})
