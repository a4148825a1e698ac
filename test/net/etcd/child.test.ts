import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { realClock } from '../../../net/clock.ts'
import { createEtcdChild } from '../../../net/etcd/child.ts'
import { childFiles, socketFault } from '../../../net/etcd/child-files.ts'
import type { CertificateAuthority, EtcdEvent, EtcdOutcome, EtcdPeer, EtcdRequest } from '../../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../../src/kernel/refusal.ts'
import { freePorts } from '../../kit/free-ports.ts'
import { until } from '../../kit/running.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'

type Child = ReturnType<typeof opened>

function opened(t: ExecutionContext, port: number, dataDirectory = temporaryDirectory(t)) {
  const events: EtcdEvent[] = []
  const said: string[] = []
  const child = createEtcdChild({
    own: { expect: 3, bind: '127.0.0.1', advertise: '127.0.0.1', port },
    dataDirectory,
    clock: realClock,
    print: (_level, _from, line) => said.push(line),
  })
  t.teardown(() => child.close())
  const ask = (request: EtcdRequest) =>
    new Promise<Result<EtcdOutcome>>((resolve) => child.perform(request, resolve, (event) => events.push(event)))
  const asked = (request: EtcdRequest) =>
    until(
      request.do,
      () => ask(request),
      (outcome) => !isRefused(outcome),
    ) as Promise<EtcdOutcome>
  return {
    ask,
    asked,
    events,
    said,
    dataDirectory,
    close: () => child.close(),
    peer: (name: string): EtcdPeer => ({ name, url: `https://127.0.0.1:${port}` }),
  }
}

function start(child: Child, name: string, members: EtcdPeer[], authority: CertificateAuthority): Promise<EtcdOutcome> {
  return child.asked({ do: 'start', name, members, founds: members.length === 1, authority })
}

/** The program of a data directory. */
function processOf(dataDirectory: string): number {
  return Number(execFileSync('pgrep', ['-f', `^etcd .*${childFiles(dataDirectory).data}`], { encoding: 'utf8' }).split('\n')[0])
}

test.serial('an etcd is founded, is started again when it was killed, and knows its cluster after a restart of its agent', async (t) => {
  t.timeout(60_000)
  const ports = await freePorts()
  const port = ports.next()
  const child = opened(t, port)
  t.deepEqual(await child.ask({ do: 'look' }), { isMember: false })
  t.like(await child.ask({ do: 'members' }), { refused: 'busy' })
  const { authority } = await child.asked({ do: 'authorize' })
  if (!authority) throw new Error('there is an authority')
  await start(child, 'a', [child.peer('a')], authority)
  const { members, cluster, leader } = await child.asked({ do: 'members' })
  t.like(members, { 0: { ...child.peer('a'), learns: false }, length: 1 })
  t.is(leader, members?.[0]?.id)
  const files = childFiles(child.dataDirectory)
  for (const file of [files.authority, files.certificate, files.key, files.trusted]) t.is(statSync(file).mode & 0o777, 0o600)
  t.is(statSync(files.directory).mode & 0o777, 0o700)
  t.false(readFileSync(files.trusted, 'utf8').includes('KEY'))

  process.kill(processOf(child.dataDirectory), 'SIGKILL')
  await until(
    'its end is told',
    () => child.events,
    ([event]) => event?.did === 'ended' && !event.isOut,
  )
  t.is((await child.asked({ do: 'members' })).cluster, cluster)
  await child.close()

  const again = opened(t, port, child.dataDirectory)
  t.deepEqual(await again.ask({ do: 'look' }), { isMember: true, authority })
  await start(again, 'a', [again.peer('a')], authority)
  t.is((await again.asked({ do: 'members' })).cluster, cluster)
  t.deepEqual(await again.ask({ do: 'forget' }), {})
  t.false(existsSync(join(files.data, 'member')))
})

test.serial('a second member learns, then votes; when it is taken out it hears so and stays down', async (t) => {
  t.timeout(60_000)
  const ports = await freePorts()
  const [one, two] = [opened(t, ports.next()), opened(t, ports.next())]
  const { authority } = await one.asked({ do: 'authorize' })
  if (!authority) throw new Error('there is an authority')
  await start(one, 'a', [one.peer('a')], authority)
  await one.asked({ do: 'members' })
  await one.asked({ do: 'add', url: two.peer('b').url })
  await start(two, 'b', [one.peer('a'), two.peer('b')], authority)
  const begun = await until(
    'it learns',
    () => one.asked({ do: 'members' }),
    ({ members }) => members?.some(({ name }) => name === 'b') === true,
  )
  const id = begun.members?.find(({ name }) => name === 'b')?.id ?? ''
  t.true(begun.members?.find(({ name }) => name === 'b')?.learns)
  await one.asked({ do: 'promote', id })
  t.false((await two.asked({ do: 'members' })).members?.some(({ learns }) => learns))
  t.like(await one.ask({ do: 'remove', id: 'abc' }), { refused: 'missing' })
  await one.asked({ do: 'remove', id })
  await until(
    'it hears of it',
    () => two.events,
    (events) => events.some(({ isOut }) => isOut),
  )
})

test.serial('a leader that fell silent can be taken out at once, while nobody leads', async (t) => {
  t.timeout(90_000)
  const ports = await freePorts()
  const [one, two, three] = [opened(t, ports.next()), opened(t, ports.next()), opened(t, ports.next())]
  const { authority } = await one.asked({ do: 'authorize' })
  if (!authority) throw new Error('there is an authority')
  const peers = [one.peer('a')]
  await start(one, 'a', peers, authority)
  for (const [child, name] of [
    [two, 'b'],
    [three, 'c'],
  ] as const) {
    await one.asked({ do: 'add', url: child.peer(name).url })
    peers.push(child.peer(name))
    await start(child, name, [...peers], authority)
    const { members } = await until(
      'it learns',
      () => one.asked({ do: 'members' }),
      (outcome) => outcome.members?.some((member) => member.name === name) === true,
    )
    await one.asked({ do: 'promote', id: members?.find((member) => member.name === name)?.id ?? '' })
  }
  const { leader } = await until(
    'all know who leads',
    () => three.asked({ do: 'members' }),
    ({ members, leader }) => members?.length === 3 && leader !== '',
  )
  const silent = processOf(one.dataDirectory)
  process.kill(silent, 'SIGSTOP')
  const outcome = await three.ask({ do: 'remove', id: leader ?? '' })
  process.kill(silent, 'SIGCONT')
  t.deepEqual(isRefused(outcome) ? outcome : outcome.members?.map(({ name }) => name).sort(), ['b', 'c'])
})

test('a data directory that is too deep for a socket is refused by name', (t) => {
  t.regex(
    socketFault(childFiles(`/${'x'.repeat(120)}`))?.why ?? '',
    /^data_dir: the path .* has \d+ bytes, the system takes sockets of 107 at most$/,
  )
  t.is(socketFault(childFiles('/var/lib/tribune')), undefined)
})
