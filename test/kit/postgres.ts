import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryDirectory } from './agents.ts'
import { runProgram, startProgram } from './running.ts'

const VERSIONS = '/usr/lib/postgresql'

/** The folder of PostgreSQL's programs, as Debian installs them; nothing if it is not installed. */
export const POSTGRES: string | undefined = existsSync(VERSIONS)
  ? readdirSync(VERSIONS)
      .map((version) => join(VERSIONS, version, 'bin'))
      .filter((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'psql')))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
      .at(-1)
  : undefined

/** Runs a PostgreSQL server on a port of this machine until the test ends. Its user `postgres` needs no password. */
export async function startPostgres(t: ExecutionContext, folder: string, port: number): Promise<void> {
  const directory = temporaryDirectory(t)
  const user = unprivileged()
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid)
  const data = join(directory, 'data')
  const initialized = await runProgram(t, join(folder, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], { ...user, cwd: directory }) // biome-ignore format: one line
  if (initialized.code !== 0) throw new Error(`initdb: ${initialized.err}`)
  const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', fsync: 'off' }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = startProgram(t, 'postgres', join(folder, 'postgres'), ['-D', data, ...flags], { ...user, cwd: directory })
  await server.line(/database system is ready to accept connections/)
}

/** PostgreSQL refuses to run as root: its own user then, or else nobody. */
export function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':')) // biome-ignore format: one line
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? []
  if (uid === undefined || gid === undefined) throw new Error('there is neither a user postgres nor a user nobody')
  return { uid: Number(uid), gid: Number(gid) }
}
