import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Agent, ask, startAgent } from '../kit/agents.ts'
import { openStream } from '../kit/applications.ts'
import { faultsOf, type Load, readAll, startLoad } from '../kit/load.ts'
import { canMount, LONG_MS, type Machines, nameOf, settled, startMachines, voters } from '../kit/machines.ts'
import { processTree } from '../kit/process-tree.ts'
import { until } from '../kit/running.ts'
import { startTraffic } from '../kit/traffic.ts'

const LOAD = { clients: 4, keys: 4, paceMs: 15 }
/** After each fault, so that there is something to judge. */
const OPERATIONS = 100
const LARGE = 'x'.repeat(100_000)
const LARGE_MAX = 300
const ROOM_BYTES = 1_000_000

test('three servers and three clients lose one machine after the other: nothing that was said is untrue, and traffic never stops', async (t) => {
  t.timeout(400_000)
  const machines = await startMachines(t)
  const { servers, upstream } = machines
  const load = startLoad(t, { ...LOAD, agents: () => [...servers.values(), ...machines.clients] })
  const traffic = startTraffic(t, upstream)
  const stream = await openStream(`http://127.0.0.1:${upstream}/stream`)
  await load.more(OPERATIONS)

  /** Does something to the cluster, and measures until a server that is there leads and a write was answered. `after` is not measured. */
  const during = async (name: string, fault: () => Promise<unknown>, after: () => Promise<unknown> = async () => undefined) => {
    load.turnTo(name.replaceAll(' ', '-'))
    load.longestPauseMs()
    const began = performance.now()
    await fault()
    await ledBy(machines, load)
    const ledMs = performance.now() - began
    await after()
    await load.more(OPERATIONS)
    t.log(`${name}: led again after ${seconds(ledMs)}, no write answered for at most ${seconds(load.longestPauseMs())}`)
  }
  const back = async (name: string) => {
    servers.set(name, await startAgent(t, machines.setupOf(name)))
    await load.more(OPERATIONS)
  }

  const follower = await nameOf(machines, (isLeader) => !isLeader)
  await during('kill a server', () => machines.lose(follower, 'SIGKILL'))
  await back(follower)
  await settled(machines)

  const leader = await nameOf(machines, (isLeader) => isLeader)
  await during('kill the leader', () => machines.lose(leader, 'SIGKILL'))
  await back(leader)
  await settled(machines)

  const without = servers.get(await nameOf(machines, (isLeader) => isLeader)) as Agent
  await during("kill the leader's etcd", async () => process.kill(etcdOf(without), 'SIGKILL'))
  await without.line(/etcd ended and is started again/, { withinMs: LONG_MS })
  await settled(machines)

  const cutOff = await nameOf(machines, (isLeader) => isLeader)
  const frozen = servers.get(cutOff) as Agent
  const tree = processTree(frozen.pid)
  t.teardown(() => {
    for (const pid of tree) resume(pid)
  })
  await during('cut the leader off', async () => {
    servers.delete(cutOff)
    for (const pid of tree) process.kill(pid, 'SIGSTOP')
  })
  for (const pid of tree) resume(pid)
  servers.set(cutOff, frozen)
  await load.more(OPERATIONS)
  await settled(machines)

  const names = [...servers.keys()]
  await Promise.all(names.map((name) => machines.lose(name, 'SIGTERM')))
  await until('there is traffic without any server', () => traffic.answered(), more(traffic.answered(), 50))
  await during('start all servers again', async () => {
    await Promise.all(names.map(async (name) => servers.set(name, await startAgent(t, machines.setupOf(name)))))
  })
  await settled(machines)

  const gone = names[1] as string
  const replace = async () => {
    await until(
      'it is known to have failed',
      () => machines.any().tribune('members'),
      ({ out }) => new RegExp(`^${gone} .*failed`, 'm').test(out),
      LONG_MS,
    )
    servers.set('s4', await startAgent(t, machines.setupOf('s4')))
    await voters(machines, [...servers.keys()])
  }
  await during('replace a server', () => machines.lose(gone, 'SIGKILL'), replace)

  const full = servers.get('s4') as Agent
  const disk = canMount ? smallDisk(full, machines.directoryOf('s4')) : limitedFiles(full, machines.directoryOf('s4'))
  let written = 0
  const write = async () => {
    await put(machines.any(), `large/${written}`)
    written++
  }
  await during(
    'fill a disk',
    async () => {
      servers.delete('s4')
      disk.fill()
      await write()
    },
    async () => {
      while (!disk.complaint.test(full.said()) && written < LARGE_MAX) await write()
      await full.line(disk.complaint, { withinMs: LONG_MS })
    },
  )
  disk.free()
  await until(
    'it has what the others wrote meanwhile',
    () => full.http('GET', `/v1/kv/large/${written - 1}?raw`),
    ({ text }) => text === LARGE,
    LONG_MS,
  )
  servers.set('s4', full)
  await load.more(OPERATIONS)

  const history = await load.end()
  const { slowestMs, failed, requests } = await traffic.end()
  t.true(stream.isOpen(), 'a connection through both sidecars stays open from the beginning to the end')
  stream.end()
  t.deepEqual(failed, [])
  await readAll(history, [...servers.values(), ...machines.clients])
  t.deepEqual(faultsOf(history), [])

  const began = performance.now()
  // The disk of s4 is gone with it, so it is left out.
  const all = [...servers.keys()].filter((name) => name !== 's4')
  const clients = [...machines.clients]
  await Promise.all([...all.map((name) => machines.lose(name, 'SIGKILL')), ...clients.map((client) => client.stop('SIGKILL'))])
  await Promise.all(all.map(async (name) => servers.set(name, await startAgent(t, machines.setupOf(name)))))
  machines.clients.splice(0, clients.length, ...(await Promise.all(machines.clientSetups.map((setup) => startAgent(t, setup)))))
  await settled(machines)
  await until(
    'traffic flows again',
    () => ask(`http://127.0.0.1:${upstream}/`),
    ({ status }) => status === 200,
    LONG_MS,
  )
  t.log(`all that were killed at once work again after ${seconds(performance.now() - began)}`)
  await readAll(history, [...servers.values(), ...machines.clients])
  t.deepEqual(faultsOf(history), [])
  t.log(`${load.answered()} reads and writes, ${requests} requests through sidecars, the slowest took ${seconds(slowestMs)}`)
})

async function put(agent: Agent, key: string): Promise<void> {
  await until(
    `${key} is written`,
    () => agent.http('PUT', `/v1/kv/${key}`, LARGE),
    ({ status }) => status === 200,
    LONG_MS,
  )
}

/** Once a server that is there leads, and one more write was answered. */
async function ledBy(machines: Machines, load: Load): Promise<void> {
  const living = () => [...machines.servers.values()].map(({ ports }) => `127.0.0.1:${ports.server}`)
  await until(
    'one of them leads',
    () => machines.any().json<string>('/v1/status/leader'),
    (leader) => living().includes(leader),
    LONG_MS,
  )
  await load.more(1)
}

function etcdOf(agent: Agent): number {
  const found = processTree(agent.pid).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'etcd\n')
  if (found === undefined) throw new Error(`${agent.address} has no etcd`)
  return found
}

/** A process that ended meanwhile needs none. */
function resume(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** How the disk of a server is filled and emptied, and what it says when it is full. */
type Disk = { fill(): void; free(): void; complaint: RegExp }

/** A disk of its own, of which a file takes all the room. */
function smallDisk({ pid }: Agent, directory: string): Disk {
  const file = join(`/proc/${pid}/root`, directory, 'filler')
  return {
    complaint: /etcd ended and is started again/,
    fill() {
      writeFileSync(file, '')
      const { bavail, bsize } = statfsSync(file)
      try {
        writeFileSync(file, Buffer.alloc(bavail * bsize))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    },
    free: () => rmSync(file),
  }
}

/** The agent's files cannot get much longer than its tables are, where nobody may have a disk of its own. */
function limitedFiles({ pid }: Agent, directory: string): Disk {
  const limit = (bytes: number | 'unlimited') => execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`])
  return {
    complaint: /disk full: no room/,
    fill: () => limit(statSync(join(directory, 'data.mdb')).size + ROOM_BYTES),
    free: () => limit('unlimited'),
  }
}

function more(than: number, by: number): (found: number) => boolean {
  return (found) => found >= than + by
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}
