import test from 'ava'
import { membership } from '../../actors/membership/index.ts'
import { membershipRef, type Recorded } from '../../actors/membership/protocol.ts'
import { type EstateOptions, MemberEstate } from '../../sim/members/estate.ts'
import { type Replayed, readRecording, replay } from '../../sim/members/replay.ts'
import type { AnyActor } from '../../src/kernel/instance.ts'
import type { GossipEvent } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

const FOR_MS = 40_000

/** What one of ten members recorded while another one was killed and came back, and a third was too slow to answer. */
function recorded(seed: string, args: Partial<EstateOptions> = {}): Recorded {
  const estate = new MemberEstate({ world: seed, count: 10, messages: 'packed', isFormed: true, way: { lost: 0.02 }, ...args })
  estate.start()
  estate.run(5_000)
  let found: Recorded | undefined
  estate.get('m1')?.ask(membershipRef, 'record', { forMs: FOR_MS }, FOR_MS * 2, (result) => {
    if (!isRefused(result)) found = result
  })
  estate.run(1_000)
  estate.get('m4')?.crash('silently')
  estate.get('m7')?.stall(9_000)
  estate.get('m1')?.ask(membershipRef, 'tag', { tags: { role: 'node', color: 'blue' } }, 1_000, () => undefined)
  estate.run(15_000)
  estate.get('m4')?.start()
  estate.get('m4')?.join([{ host: estate.get('m2')?.address.host ?? '', port: 8301 }])
  estate.run(FOR_MS)
  if (found === undefined) throw new Error('the recording was answered')
  return found
}

function replayed(text: string): Replayed[] {
  const recording = readRecording(text)
  if (isRefused(recording)) throw new Error(recording.why)
  return [...replay(recording)]
}

const differencesIn = (steps: readonly Replayed[]) => steps.flatMap(({ differences }) => differences)

test('a recording of a member under trouble is replayed without a difference, verdicts and all', (t) => {
  for (const seed of ['replay-1', 'replay-2', 'replay-3']) {
    const { lines, ended } = recorded(seed)
    const steps = replayed(lines.join('\n'))
    t.is(ended, 'time')
    t.true(steps.length > 100)
    t.deepEqual(differencesIn(steps), [])
    const known = steps.flatMap(({ trace }) => trace)
    t.true(known.some(({ what, member }) => what === 'accused' && member === 'm4'))
    t.true(known.some(({ what, member }) => what === 'failed' && member === 'm4'))
  }
})

test('a replay says where it differs: what came or what came of it was changed', (t) => {
  const { lines } = recorded('replay-4')
  const verdictAt = lines.findIndex((line) => line.includes('"what":"failed"'))
  t.true(verdictAt > 0)
  const other = lines.with(verdictAt, (lines[verdictAt] ?? '').replace('"what":"failed"', '"what":"left"'))
  t.regex(differencesIn(replayed(other.join('\n'))).join(), /^it noted .*"what":"left".*, and now .*"what":"failed"/)
  const later = lines.map((line) =>
    line.includes('"name":"beat"') ? line.replace(/"atMs":(\d+)/, (_, ms) => `"atMs":${Number(ms) + 999}`) : line,
  )
  t.true(differencesIn(replayed(later.join('\n'))).length > 0)
  const header = JSON.parse(lines[0] ?? '')
  const seedless = lines.with(0, JSON.stringify({ ...header, seed: header.seed ^ 1 }))
  t.true(differencesIn(replayed(seedless.join('\n'))).length > 0)
})

test('a recording of a program that decides differently shows where: one that answers no pings', (t) => {
  const on = membership.on as unknown as Record<string, (state: unknown, event: GossipEvent, turn: unknown) => unknown>
  const deaf = (state: unknown, event: GossipEvent, turn: unknown) => {
    const isPing = event.did === 'message' && (event.message as { do?: string }).do === 'ping'
    return on['event']?.(state, isPing ? { ...event, message: { do: 'unheard', seq: 1 } } : event, turn)
  }
  const { lines } = recorded('replay-5', {
    wrap: (definition) => ({ ...definition, on: { ...(definition.on as object), event: deaf } }) as unknown as AnyActor,
  })
  t.deepEqual(differencesIn(replayed(lines.join('\n'))), [])
  // What it got was a ping, and it has not said so.
  const pings = lines.map((line) => line.replace('"message":{"do":"unheard","seq":1}', '"message":{"do":"ping","seq":1}'))
  t.regex(differencesIn(replayed(pings.join('\n')))[0] ?? '', /^it did .*, and now .*"do":"ack"/)
})
