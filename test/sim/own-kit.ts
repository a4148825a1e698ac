import type { ExecutionContext } from 'ava'
import { loadOwn, type Own } from '../../sim/own/load.ts'
import { machine } from '../../src/config/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { writeFiles } from '../kit/agents.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'

/** An agent's settings, as a file of its folder. */
export function agentFile(address: string): string {
  return `server = true\nbootstrap_expect = 3\nbind_addr = "${address}"\nconnect { enabled = true }\n`
}

export const WEB = `service {
  name = "web"
  port = 8080
  check { http = "http://127.0.0.1:8080/health" interval = "2s" }
  connect { proxy { config { upstreams = [{ destination_name = "db", local_bind_port = 9191, connect_timeout_ms = 500 }] } } }
}
`
export const DB = `service {
  name = "db"
  port = 5432
  check { tcp = "127.0.0.1:5432" interval = "2s" }
  connect { proxy {} }
}
`
/** Three servers: web on n1, db on n2 and n3. */
export const THREE: Readonly<Record<string, string>> = {
  'n1/agent.hcl': agentFile('10.1.0.1'),
  'n1/web.hcl': WEB,
  'n2/agent.hcl': agentFile('10.1.0.2'),
  'n2/db.hcl': DB,
  'n3/agent.hcl': agentFile('10.1.0.3'),
  'n3/db.hcl': DB,
}
/** The same, and an agent that is no server. */
export const THREE_AND_A_CLIENT: Readonly<Record<string, string>> = {
  ...THREE,
  'c1/agent.hcl': 'bind_addr = "10.1.0.4"\nconnect { enabled = true }\n',
}
/** A single agent with both services. */
export const ONE: Readonly<Record<string, string>> = {
  'agent.hcl': 'server = true\nbootstrap = true\nnode_name = "solo"\nconnect { enabled = true }\n',
  'web.hcl': WEB,
  'db.hcl': DB,
}

/** A folder with these files, for the time of a test. */
export function folderOf(t: ExecutionContext, files: Readonly<Record<string, string | object>>): string {
  const folder = temporaryDirectory(t)
  writeFiles(folder, files)
  return folder
}

/** What must load. */
export function loaded(t: ExecutionContext, files: Readonly<Record<string, string | object>>): Own {
  const own = loadOwn(folderOf(t, files), machine)
  if (isRefused(own)) throw new Error(own.why)
  return own
}

/** Why it does not load, without the folder's own path. */
export function refusalOf(t: ExecutionContext, files: Readonly<Record<string, string | object>>): string {
  const folder = folderOf(t, files)
  const own = loadOwn(folder, machine)
  return isRefused(own) ? own.why.replaceAll(folder, 'DIR') : 'loaded'
}
