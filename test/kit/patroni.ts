import { chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { writeFiles } from './agents.ts'
import { unprivileged } from './postgres.ts'
import { type Running, startProgram } from './running.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export type PatroniNode = Running & {
  readonly name: string
  /** Ends Patroni and its PostgreSQL at once, as a power cut would. */
  kill(): Promise<void>
}

type PatroniSetup = {
  program: string
  postgres: string
  name: string
  scope: string
  restPort: number
  postgresPort: number
  consulPort: number
}

/** Runs Patroni with a PostgreSQL of its own until the test ends. Members of one scope elect a leader through the agent. */
export function startPatroni(t: ExecutionContext, setup: PatroniSetup): PatroniNode {
  const folder = temporaryDirectory(t)
  const user = unprivileged()
  const data = join(folder, 'data')
  writeFiles(folder, { 'patroni.json': configuration(setup, folder, data) })
  mkdirSync(join(folder, 'sockets'))
  if (user.uid !== undefined && user.gid !== undefined) {
    for (const path of ['', 'sockets', 'patroni.json']) chownSync(join(folder, path), user.uid, user.gid)
  }
  const env = { PATH: `${setup.postgres}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: folder, LANG: 'C.UTF-8' }
  const running = startProgram(t, `patroni ${setup.name}`, setup.program, [join(folder, 'patroni.json')], { ...user, cwd: folder, env })
  // PostgreSQL is a session of its own, which does not end with Patroni, and has its output.
  const endBoth = () => {
    running.signal('SIGKILL')
    const file = join(data, 'postmaster.pid')
    if (!existsSync(file)) return
    const [pid] = readFileSync(file, 'utf8').split('\n')
    // SIGQUIT: at once, with all its processes, and nothing is written any more.
    if (isAlive(Number(pid))) process.kill(Number(pid), 'SIGQUIT')
  }
  t.teardown(endBoth)
  return {
    ...running,
    name: setup.name,
    async kill() {
      endBoth()
      await running.ended
    },
  }
}

function isAlive(pid: number): boolean {
  return pid > 1 && existsSync(`/proc/${pid}`)
}

/** JSON is YAML too. */
function configuration({ postgres, name, scope, restPort, postgresPort, consulPort }: PatroniSetup, folder: string, data: string): object {
  const user = (username: string) => ({ username, password: 'secret' })
  return {
    scope,
    name,
    restapi: { listen: `127.0.0.1:${restPort}`, connect_address: `127.0.0.1:${restPort}` },
    consul: { host: `127.0.0.1:${consulPort}`, register_service: true, service_check_interval: '1s' },
    bootstrap: {
      dcs: { ttl: 20, loop_wait: 1, retry_timeout: 3, maximum_lag_on_failover: 1_048_576, postgresql: { use_pg_rewind: false } },
      initdb: [{ encoding: 'UTF8' }, 'no-sync'],
      pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust'],
    },
    postgresql: {
      listen: `127.0.0.1:${postgresPort}`,
      connect_address: `127.0.0.1:${postgresPort}`,
      data_dir: data,
      bin_dir: postgres,
      pgpass: join(folder, 'pgpass'),
      authentication: { superuser: user('postgres'), replication: user('replicator') },
      parameters: { unix_socket_directories: join(folder, 'sockets'), fsync: 'off', max_connections: 20 },
    },
    watchdog: { mode: 'off' },
  }
}
