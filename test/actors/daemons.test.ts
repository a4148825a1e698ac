import test from 'ava'
import fc from 'fast-check'
import { daemons } from '../../actors/daemons/index.ts'
import type { WantedDaemon } from '../../actors/daemons/protocol.ts'
import type { DaemonProcess, DaemonRequest, KeptDaemon } from '../../src/kernel/ports.ts'
import { refuse } from '../../src/kernel/refusal.ts'
import { granted } from '../kit/asking.ts'
import { tryActor } from '../kit/try-actor.ts'

const ARGS = { allowRoot: false, environment: { CONSUL_HTTP_ADDR: '127.0.0.1:8500' }, telemetry: { metrics_prefix: 'consul' } }
const web: WantedDaemon = { id: 'web-proxy', serviceId: 'web', service: 'web', command: ['my-proxy', '-x'] }
const processOf = (pid: number): DaemonProcess => ({ pid, started: '1', where: 'here' })
const runs = (pid: number) => ({ process: processOf(pid) })

function tryDaemons({ kept = [], isRoot = false, args = ARGS }: { kept?: KeptDaemon[]; isRoot?: boolean; args?: typeof ARGS } = {}) {
  const a = tryActor(daemons, { args })
  a.outcome('daemons', { kept, isRoot })
  const of = (what: DaemonRequest['do']) => (a.acts('daemons') as DaemonRequest[]).filter((request) => request.do === what)
  return {
    ...a,
    get nowMs() {
      return a.nowMs
    },
    starts: () => of('start') as Extract<DaemonRequest, { do: 'start' }>[],
    signals: () => (of('signal') as Extract<DaemonRequest, { do: 'signal' }>[]).map(({ signal }) => signal),
    keeps: () => of('keep') as Extract<DaemonRequest, { do: 'keep' }>[],
    want(...wanted: WantedDaemon[]) {
      a.value('wanted', wanted)
    },
    begun(pid: number) {
      a.outcome('daemons', runs(pid), ({ do: what }: DaemonRequest) => what === 'start')
    },
    ended(pid: number, why = 'exit code 1') {
      a.event('daemons', { did: 'ended', pid, why }, ({ do: what }: DaemonRequest) => what === 'start' || what === 'follow')
    },
  }
}

test('a program is started with its id, a token and the way to the agent, and what is to be known of it is kept', (t) => {
  const a = tryDaemons()
  a.want(web)
  t.deepEqual(a.starts(), [], 'changes wait for others')
  a.wait(500)
  const [start] = a.starts()
  const token = start?.environment['CONNECT_PROXY_TOKEN'] ?? ''
  t.deepEqual(start, {
    do: 'start',
    id: 'web-proxy',
    command: ['my-proxy', '-x'],
    environment: { CONSUL_HTTP_ADDR: '127.0.0.1:8500', CONNECT_PROXY_ID: 'web-proxy', CONNECT_PROXY_TOKEN: token },
  })
  t.regex(token, /^[0-9a-f-]{36}$/)
  a.begun(7)
  a.outcome('daemons', {}, ({ do: what }: DaemonRequest) => what === 'keep')
  t.deepEqual(a.keeps().at(-1)?.daemons, [{ id: 'web-proxy', token, command: ['my-proxy', '-x'], process: processOf(7) }])
  t.deepEqual(granted(a.call('ownerOf', { token }).result), { daemon: web, telemetry: { metrics_prefix: 'consul' } })
  t.is(a.call('ownerOf', { token: 'another' }).result, null)
  t.is(a.call('ownerOf', { token: '' }).result, null)
})

test('changes in a row are carried out together, and none waits longer than five seconds', (t) => {
  const a = tryDaemons()
  a.want(web)
  for (let passed = 0; passed < 4_800; passed += 400) {
    a.wait(400)
    t.deepEqual(a.starts(), [])
    a.want(web)
  }
  a.wait(200)
  t.is(a.starts().length, 1)
})

test('a program that ends is started again: three times at once, then later and later', (t) => {
  const a = tryDaemons()
  a.want(web)
  a.wait(500)
  let pid = 0
  const waits: number[] = []
  for (let attempt = 1; attempt <= 11; attempt++) {
    a.begun(++pid)
    a.ended(pid)
    let waitedMs = 0
    for (; a.starts().length === 0; waitedMs += 1_000) a.wait(1_000)
    waits.push(waitedMs / 1_000)
  }
  t.deepEqual(waits, [0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60])
  a.begun(++pid)
  a.wait(10_000)
  a.ended(pid)
  t.is(a.starts().length, 1, 'it ran for ten seconds, so it is as new')
})

test('one that cannot be started is tried like one that ended, and another command is tried at once', (t) => {
  const a = tryDaemons()
  const list = a.subscribe('daemons', null)
  a.want(web)
  a.wait(500)
  const refusal = refuse('invalid', 'exec: "my-proxy": executable file not found in $PATH')
  for (let attempt = 1; attempt <= 3; attempt++) a.outcome('daemons', refusal, ({ do: what }: DaemonRequest) => what === 'start')
  t.deepEqual(a.starts(), [])
  t.like(list.values.at(-1)?.[0], { phase: 'waiting', why: refusal.why, attempts: 3, pid: 0 })
  a.want({ ...web, command: ['other'] })
  a.wait(500)
  t.deepEqual(
    a.starts().map(({ command }) => command),
    [['other']],
  )
})

test('a program that is not wanted any more is asked to end, and killed after five seconds', (t) => {
  const a = tryDaemons()
  a.want(web)
  a.wait(500)
  a.begun(7)
  a.want()
  a.wait(500)
  t.deepEqual(a.signals(), ['interrupt'])
  a.wait(4_999)
  t.deepEqual(a.signals(), ['interrupt'])
  a.wait(1)
  t.deepEqual(a.signals(), ['interrupt', 'kill'])
  a.ended(7, 'ended by SIGKILL')
  t.is(a.state.daemons.size, 0)
  a.wait(120_000)
  t.deepEqual(a.starts(), [])
})

test('another command ends the old program first; its token stays', (t) => {
  const a = tryDaemons()
  a.want(web)
  a.wait(500)
  const token = a.starts()[0]?.environment['CONNECT_PROXY_TOKEN']
  a.begun(7)
  a.want({ ...web, command: ['other'] })
  a.wait(500)
  t.deepEqual([a.signals(), a.starts().length], [['interrupt'], 0])
  a.ended(7, 'exit code 0')
  t.like(a.starts()[0], { command: ['other'], environment: { CONNECT_PROXY_TOKEN: token } })
})

test('after a restart of the agent, one that still runs is followed and one that does not is started', (t) => {
  const api: WantedDaemon = { id: 'api-proxy', serviceId: 'api', service: 'api', command: ['b'] }
  const kept = [
    { id: 'web-proxy', token: 'w', command: ['my-proxy', '-x'], process: processOf(7) },
    { id: 'api-proxy', token: 'a', command: ['b'], process: null },
    { id: 'gone-proxy', token: 'g', command: ['c'], process: processOf(9) },
  ]
  const a = tryDaemons({ kept })
  const follow = (id: string) => (request: DaemonRequest) => request.do === 'follow' && request.id === id
  a.outcome('daemons', runs(7), follow('web-proxy'))
  a.outcome('daemons', runs(9), follow('gone-proxy'))
  a.wait(60_000)
  t.deepEqual([a.starts(), a.signals()], [[], []], 'nothing happens before it is known what is to run')
  a.want(api, web)
  a.wait(500)
  t.like(a.starts(), { 0: { id: 'api-proxy', environment: { CONNECT_PROXY_TOKEN: 'a' } }, length: 1 })
  t.deepEqual(
    (a.acts('daemons') as DaemonRequest[]).filter(({ do: what }) => what === 'signal'),
    [{ do: 'signal', id: 'gone-proxy', signal: 'interrupt' }],
  )
})

test('nothing is started as root unless that is allowed', (t) => {
  const a = tryDaemons({ isRoot: true })
  const list = a.subscribe('daemons', null)
  a.want(web)
  a.wait(500)
  t.deepEqual(a.starts(), [])
  t.like(list.values.at(-1)?.[0], { phase: 'forbidden', why: 'not started as root unless connect.proxy.allow_managed_root is true' })
  t.true(a.effects().some((effect) => effect.did === 'print' && effect.line === 'running as root, will not start managed proxies'))
  const b = tryDaemons({ isRoot: true, args: { ...ARGS, allowRoot: true } })
  b.want(web)
  b.wait(500)
  t.is(b.starts().length, 1)
})

test('what an earlier agent kept may be unreadable; a disk that fails is asked again', (t) => {
  const a = tryActor(daemons, { args: ARGS })
  a.outcome('daemons', refuse('busy', 'EIO'))
  t.deepEqual(a.acts('daemons'), [])
  a.wait(1_000)
  a.outcome('daemons', refuse('invalid', 'snapshot.json is not a snapshot'))
  t.true(a.state.loaded)
  t.false(a.state.mayRun, 'it is not known whether this is root')
})

test('whatever happens in whatever order, one process runs at most, and in the end just what is wanted', (t) => {
  const step = fc.constantFrom('want', 'other', 'unwant', 'outcome', 'fail', 'die', 'wait', 'crash')
  const property = fc.property(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 12_000 })), { maxLength: 40 }), (steps) => {
    const a = tryActor(daemons, { args: ARGS })
    let kept: KeptDaemon[] = []
    let running: { pid: number; command: readonly string[] } | undefined
    let pids = 0
    let wanted: WantedDaemon[] = []
    const heard = ({ do: what }: DaemonRequest) => what === 'start' || what === 'follow'
    const serve = (fails = false): boolean => {
      const request = (a.acts('daemons') as DaemonRequest[])[0]
      if (!request) return false
      if (request.do === 'load') {
        const runsNow = (one: KeptDaemon) => (one.process?.pid === running?.pid ? one : { ...one, process: null })
        a.outcome('daemons', { kept: kept.map(runsNow), isRoot: false })
      } else if (request.do === 'keep') {
        if (!fails) kept = request.daemons
        a.outcome('daemons', fails ? refuse('busy', 'full') : {})
      } else if (request.do === 'start') {
        t.is(running, undefined, 'one at most')
        if (!fails) running = { pid: ++pids, command: request.command }
        a.outcome('daemons', running ? runs(running.pid) : refuse('invalid', 'no'))
      } else if (request.do === 'follow') {
        const same = running?.pid === request.process.pid
        a.outcome('daemons', same ? runs(request.process.pid) : refuse('missing', 'gone'))
      } else {
        a.outcome('daemons', {})
        if (running && (request.signal === 'kill' || !fails)) die()
      }
      return true
    }
    const die = () => {
      const pid = running?.pid
      running = undefined
      if (pid !== undefined) a.event('daemons', { did: 'ended', pid, why: 'exit code 1' }, heard)
    }
    const settled = () => (a.acts('daemons') as DaemonRequest[]).length === 0
    // What a full disk did not take is not known after a crash.
    const isKept = () => running === undefined || kept.some(({ process }) => process?.pid === running?.pid)
    for (const [what, ms] of steps) {
      if (what === 'want' || what === 'other' || what === 'unwant') {
        wanted = what === 'unwant' ? [] : [what === 'want' ? web : { ...web, command: ['other'] }]
        a.value('wanted', wanted)
      } else if (what === 'outcome' || what === 'fail') serve(what === 'fail')
      else if (what === 'die' && running && settled()) die()
      else if (what === 'wait') a.wait(ms)
      else if (what === 'crash' && settled() && isKept()) {
        a.restart()
        a.value('wanted', wanted)
      }
    }
    a.value('wanted', wanted)
    for (let round = 0; round < 40; round++) {
      while (serve());
      a.wait(5_000)
    }
    t.deepEqual(running?.command, wanted[0]?.command)
    t.deepEqual(
      kept.map(({ process }) => process?.pid),
      wanted.map(() => running?.pid),
    )
  })
  t.notThrows(() => fc.assert(property, { numRuns: 2_000 }))
})
