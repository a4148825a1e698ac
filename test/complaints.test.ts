import test from 'ava'
import { type Complaint, createComplaints } from '../src/complaints.ts'

test('each is complained about at once, then once a minute with how often it was', (t) => {
  let nowMs = 0
  const said: Complaint[] = []
  const complain = createComplaints(
    (complaint) => said.push(complaint),
    () => nowMs,
  )
  complain('a', 'first')
  complain('a', 'second')
  complain('b', 'other')
  nowMs = 59_999
  complain('a', 'third')
  nowMs = 60_000
  complain('a', 'fourth')
  complain('b', 'other')
  t.deepEqual(said, [
    { who: 'a', why: 'first', times: 1 },
    { who: 'b', why: 'other', times: 1 },
    { who: 'a', why: 'fourth', times: 3 },
    { who: 'b', why: 'other', times: 1 },
  ])
})

test('many strangers cost neither memory nor lines of the log without end, and a minute later are told of again', (t) => {
  let nowMs = 0
  let said = 0
  const complain = createComplaints(
    () => said++,
    () => nowMs,
  )
  for (let who = 0; who < 5_000; who++) for (let time = 0; time < 2; time++) complain(`stranger ${who}`, 'garbage')
  t.is(said, 1_024)
  nowMs = 60_000
  complain('another', 'garbage')
  t.is(said, 1_025)
})
