import test from 'ava'
import { asked, run } from '../kit/http.ts'

const EVENT = {
  id: '69750493-0000-4000-8000-000000000000',
  name: 'dep',
  payload: Buffer.from('x'),
  nodeFilter: '',
  serviceFilter: '',
  tagFilter: '',
  version: 1,
  lamportTime: 2,
}
const SHOWN = { ID: EVENT.id, Name: 'dep', Payload: 'eA==', NodeFilter: '', ServiceFilter: '', TagFilter: '', Version: 1, LTime: 2 }

test('an event is fired with its payload and its filters', async (t) => {
  t.like(asked('PUT', '/v1/event/fire/dep?node=n&service=s&tag=t', 'x'), {
    to: { actor: 'events' },
    name: 'fire',
    request: { name: 'dep', payload: Buffer.from('x'), nodeFilter: 'n', serviceFilter: 's', tagFilter: 't', token: '' },
  })
  t.deepEqual(asked('PUT', '/v1/event/fire/'), { status: 400, text: 'Missing name' })
  t.deepEqual(await run('PUT', '/v1/event/fire/dep', { fire: { id: EVENT.id } }), { json: { ...SHOWN, Payload: null, LTime: 0 } })
})

test('the list has an index of its own', async (t) => {
  const recent = { events: [EVENT], index: 2_386_763_934_970_443_792n }
  t.deepEqual(await run('GET', '/v1/event/list', { recent }), { headers: { 'X-Consul-Index': '2386763934970443792' }, json: [SHOWN] })
  t.like(await run('GET', '/v1/event/list?index=5', { recent }), { json: [SHOWN] })
  t.like(await run('GET', '/v1/event/list?index=2386763934970443792', { recent }), { status: 503 }, 'nothing newer came')
  t.deepEqual(await run('GET', '/v1/event/list?index=x', { recent }), { status: 400, text: 'Invalid index' })
  t.deepEqual(await run('GET', '/v1/event/list?wait=x', { recent }), { status: 400, text: 'Invalid wait time' })
  t.deepEqual(await run('GET', '/v1/event/list', { recent: { events: [], index: 1n } }), { headers: { 'X-Consul-Index': '1' }, json: [] })
})
