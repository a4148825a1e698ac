import { Worker } from 'node:worker_threads'
import test from 'ava'
import { contactMemory, createContact } from '../../../net/etcd/contact.ts'

function setUp() {
  const state = { nowMs: 10_000 }
  return { state, contact: createContact(contactMemory(), () => state.nowMs) }
}

test('who has never heard of the log knows no leader', (t) => {
  t.deepEqual(setUp().contact.read(), { isLed: false, silentMs: Infinity, overdueMs: Infinity, term: 0 })
})

test('a sign is expected about every second; without one for some seconds nobody is known to lead', (t) => {
  const { state, contact } = setUp()
  contact.heard(7)
  t.deepEqual(contact.read(), { isLed: true, silentMs: 0, overdueMs: 0, term: 7 })
  state.nowMs += 1_200
  t.like(contact.read(), { isLed: true, silentMs: 1_200, overdueMs: 0 })
  state.nowMs += 300
  t.like(contact.read(), { isLed: true, silentMs: 1_500, overdueMs: 300 })
  state.nowMs += 2_500
  t.like(contact.read(), { isLed: false, silentMs: 4_000, overdueMs: 2_800, term: 7 })
  contact.heard()
  t.like(contact.read(), { isLed: true, silentMs: 0, term: 7 })
})

test('a member that says that nobody leads is believed at once, until another answer', (t) => {
  const { contact } = setUp()
  contact.heard(7)
  contact.lost()
  t.like(contact.read(), { isLed: false, silentMs: 0, overdueMs: 0 })
  contact.heard(8)
  t.like(contact.read(), { isLed: true, term: 8 })
})

test('all threads of a process see the same', async (t) => {
  const memory = contactMemory()
  const contact = createContact(memory)
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(${JSON.stringify(new URL('../../../net/etcd/contact.ts', import.meta.url).href)}).then(({ createContact }) => {
      createContact(workerData).heard(9)
      parentPort.postMessage('said')
    })`
  const worker = new Worker(source, { eval: true, workerData: memory })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  t.like(contact.read(), { isLed: true, term: 9 })
  t.true(contact.read().silentMs < 10_000)
})
