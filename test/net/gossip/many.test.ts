import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { MembersAnswered, MembersAsked, MemberView } from '../../../bench/kit/members-process.ts'
import { until } from '../../kit/running.ts'

const PROGRAM = fileURLToPath(new URL('../../../bench/kit/members-process.ts', import.meta.url))
const LONG_MS = 90_000

test('50 members with real sockets: all join, a crash and a stall are known to all, and all are back', async (t) => {
  t.timeout(240_000)
  const groups = await Promise.all([12, 12, 12, 12, 2].map((count, at) => startGroup(t, `g${at}`, count)))
  const [first, second, , , small] = groups as [Group, Group, Group, Group, Group]
  let beganMs = performance.now()
  for (const group of groups) await group.ask({ do: 'join', port: first.ports[0] as number })
  await all(groups, ({ alive }) => alive === 50)
  t.log(`50 members knew all after ${seconds(beganMs)}`)

  beganMs = performance.now()
  small.process.kill('SIGKILL')
  const others = groups.slice(0, 4)
  await all(others, ({ alive, failed }) => alive === 48 && failed.length === 2)
  t.log(`the crash of two was known to all after ${seconds(beganMs)}`)

  beganMs = performance.now()
  second.process.kill('SIGSTOP')
  const living = others.filter((group) => group !== second)
  await all(living, ({ failed }) => second.names.every((name) => failed.includes(name)))
  t.log(`twelve that stand still counted as failed everywhere after ${seconds(beganMs)}`)
  const falsely = (await viewsOf(living)).flatMap(({ failed }) => failed.filter((name) => living.some(({ names }) => names.includes(name))))
  t.deepEqual(falsely, [], 'nobody who is well counts as failed')

  beganMs = performance.now()
  second.process.kill('SIGCONT')
  await all(others, ({ alive, failed, suspect }) => alive === 48 && failed.length === 2 && suspect.length === 0)
  t.log(`they were back everywhere after ${seconds(beganMs)}`)
})

type Group = { process: ChildProcess; names: string[]; ports: number[]; ask(asked: MembersAsked): Promise<MembersAnswered> }

/** Members in a process of their own. */
async function startGroup(t: ExecutionContext, prefix: string, count: number): Promise<Group> {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  const ask: Group['ask'] = async (asked) => {
    const answered = once(child, 'message')
    child.send(asked)
    return ((await answered) as [MembersAnswered])[0]
  }
  const names = Array.from({ length: count }, (_, number) => `${prefix}-${number}`)
  const { ports = [] } = await ask({ do: 'start', names })
  return { process: child, names, ports, ask }
}

async function viewsOf(groups: readonly Group[]): Promise<MemberView[]> {
  return (await Promise.all(groups.map((group) => group.ask({ do: 'views' })))).flatMap(({ views = [] }) => views)
}

/** Once it is so for each member of these groups. */
async function all(groups: readonly Group[], wanted: (view: MemberView) => boolean): Promise<void> {
  const different = async () => (await viewsOf(groups)).filter((view) => !wanted(view)).map((view) => JSON.stringify(view))
  await until('all know it', different, (views) => views.length === 0, LONG_MS)
}

function seconds(beganMs: number): string {
  return `${((performance.now() - beganMs) / 1_000).toFixed(2)} s`
}
