import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createDaemons } from '../../net/daemons.ts'
import { isAlive, processNamed } from '../../net/processes.ts'
import { SimDaemons } from '../../sim/ports/daemons.ts'
import type { DaemonEvent, DaemonOutcome, DaemonProcess, DaemonRequest, Device } from '../../src/kernel/ports.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

type Daemons = Device<DaemonRequest, DaemonOutcome, DaemonEvent>
type Arm = { name: string; open(directory: string): Daemons }

const simulated = new Map<string, SimDaemons>()
const ARMS: Arm[] = [
  { name: 'real', open: (directory) => createDaemons(directory) },
  {
    name: 'simulated',
    open(directory) {
      const machine = simulated.get(directory) ?? new SimDaemons()
      simulated.set(directory, machine)
      return machine.device(setImmediate)
    },
  },
]
const SLEEPS = ['sleep', '1000']

/** Asks, and collects what happens to what was asked for. */
function asker(daemons: Daemons) {
  const events: DaemonEvent[] = []
  let heard: (() => void) | undefined
  return {
    ask: (request: DaemonRequest) =>
      new Promise<Result<DaemonOutcome>>((resolve) =>
        daemons.perform(request, resolve, (event) => {
          events.push(event)
          heard?.()
        }),
      ),
    /** The next event, whenever it comes. */
    async event(): Promise<DaemonEvent> {
      // The device by itself keeps no process from ending.
      const alive = setInterval(() => undefined, 60_000)
      while (events.length === 0) {
        await new Promise<void>((resolve) => {
          heard = resolve
        })
      }
      clearInterval(alive)
      return events.shift() as DaemonEvent
    },
  }
}

/** Nothing that a test starts outlives it. */
function started(t: ExecutionContext, outcome: Result<DaemonOutcome>): DaemonProcess {
  const { process: leader } = granted(outcome)
  if (!leader) throw new Error('a start answers its process')
  if (leader.where !== 'simulated') {
    t.teardown(() => {
      if (isAlive(leader) === 'yes') process.kill(-leader.pid, 'SIGKILL')
    })
  }
  return leader
}

/** A killed process is there until whoever adopted it has looked. */
function runs(one: DaemonProcess): boolean {
  return one.started !== '' && isAlive(one) === 'yes' && !/\) Z /.test(readFileSync(`/proc/${one.pid}/stat`, 'utf8'))
}

for (const { name, open } of ARMS) {
  test(`${name}: a program runs until it is asked to end`, async (t) => {
    const { ask, event } = asker(open(temporaryDirectory(t)))
    const leader = started(t, await ask({ do: 'start', id: 'web-proxy', command: SLEEPS, environment: {} }))
    t.like(refused(await ask({ do: 'start', id: 'web-proxy', command: SLEEPS, environment: {} })), { refused: 'conflict' })
    granted(await ask({ do: 'signal', id: 'web-proxy', signal: 'interrupt' }))
    t.like(await event(), { did: 'ended', pid: leader.pid })
    granted(await ask({ do: 'signal', id: 'web-proxy', signal: 'kill' }))
  })

  test(`${name}: what was kept is there for the next agent, which follows what still runs`, async (t) => {
    const directory = temporaryDirectory(t)
    const first = asker(open(directory))
    t.deepEqual(granted(await first.ask({ do: 'load' })).kept, [])
    const leader = started(t, await first.ask({ do: 'start', id: 'a', command: SLEEPS, environment: {} }))
    const gone = { pid: leader.pid, started: '1', where: leader.where }
    const kept = [
      { id: 'a', token: 'x', command: SLEEPS, process: leader },
      { id: 'b', token: 'y', command: SLEEPS, process: { ...gone, pid: 4_194_303 } },
    ]
    granted(await first.ask({ do: 'keep', daemons: kept }))
    const next = asker(open(directory))
    t.deepEqual(granted(await next.ask({ do: 'load' })).kept, [kept[0], { ...kept[1], process: null }])
    t.deepEqual(granted(await next.ask({ do: 'follow', id: 'a', process: leader })), { process: leader })
    t.like(refused(await next.ask({ do: 'follow', id: 'b', process: { ...gone, pid: 4_194_303 } })), { refused: 'missing' })
    granted(await next.ask({ do: 'signal', id: 'a', signal: 'kill' }))
    t.like(await next.event(), { did: 'ended', pid: leader.pid })
  })
}

test('a program leads a session of its own, has the given environment, and its outputs go to files of this user', async (t) => {
  const directory = temporaryDirectory(t)
  const { ask, event } = asker(createDaemons(directory))
  const script = 'echo "$CONNECT_PROXY_ID $HOME"; echo problem >&2; cut -d" " -f6 /proc/$$/stat'
  const leader = started(
    t,
    await ask({ do: 'start', id: '../web', command: ['sh', '-c', script], environment: { CONNECT_PROXY_ID: 'web' } }),
  )
  t.deepEqual(await event(), { did: 'ended', pid: leader.pid, why: 'exit code 0' })
  const log = join(directory, 'proxy/logs/..%2Fweb-stdout.log')
  t.is(readFileSync(log, 'utf8'), `web ${process.env['HOME']}\n${leader.pid}\n`)
  t.is(readFileSync(join(directory, 'proxy/logs/..%2Fweb-stderr.log'), 'utf8'), 'problem\n')
  t.is(statSync(log).mode & 0o777, 0o600)
  granted(await ask({ do: 'keep', daemons: [] }))
  t.is(statSync(join(directory, 'proxy/snapshot.json')).mode & 0o777, 0o600)
})

test('what a program leaves in its group ends with it', async (t) => {
  const directory = temporaryDirectory(t)
  const { ask, event } = asker(createDaemons(directory))
  const leader = started(t, await ask({ do: 'start', id: 'a', command: ['sh', '-c', 'sleep 1000 & echo $!'], environment: {} }))
  t.like(await event(), { pid: leader.pid })
  const child = processNamed(Number(readFileSync(join(directory, 'proxy/logs/a-stdout.log'), 'utf8')))
  while (runs(child)) await new Promise(setImmediate)
  t.pass()
})

test('what cannot be started or read says why', async (t) => {
  const directory = temporaryDirectory(t)
  const { ask } = asker(createDaemons(directory))
  const start = (command: string[]) => ask({ do: 'start', id: 'a', command, environment: {} })
  t.like(refused(await start(['no-such-program'])), {
    refused: 'invalid',
    why: 'exec: "no-such-program": executable file not found in $PATH',
  })
  t.like(refused(await start(['/no/such'])), { refused: 'invalid', why: 'fork/exec /no/such: no such file or directory' })
  t.like(refused(await start([])), { refused: 'invalid' })
  t.like(refused(await start(['a\0b'])), { refused: 'invalid' })
  granted(await ask({ do: 'keep', daemons: [] }))
  for (const text of ['', '{}', '{"Version":1,"Proxies":[{"id":"a"}]}', '{"Version":2,"Proxies":[]}']) {
    writeFileSync(join(directory, 'proxy/snapshot.json'), text)
    t.like(refused(await ask({ do: 'load' })), { refused: 'invalid' })
  }
})

test('without a data directory, programs end with the agent', async (t) => {
  const daemons = createDaemons('')
  const { ask, event } = asker(daemons)
  const leader = started(t, await ask({ do: 'start', id: 'a', command: SLEEPS, environment: {} }))
  daemons.close()
  t.like(await event(), { pid: leader.pid, why: 'ended by SIGKILL' })
})
