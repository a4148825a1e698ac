import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { type HttpClient, parseJson } from './http.ts'
import { type LockEntry, lockEntries, pause } from './lock-session.ts'

/** A job for many nodes, which is kept under `<prefix>/<id>/` in the key/value store as long as its session lives. */
export type Job = {
  readonly id: string
  readonly prefix: string
  upload(spec: object): Promise<Result<null>>
  /** What nodes wrote since the last time it was asked; after `waitMs` at the latest. */
  replies(waitMs: number, stop: AbortSignal): Promise<Result<Replies>>
  /** Deletes all of it. */
  close(): Promise<void>
}

/** One node after the other: `ack` says that it took the job, `out` is a piece of output, `exit` has the exit code. */
export type Replies = { readonly news: readonly { node: string; what: 'ack' | 'out' | 'exit' | 'other'; text: string }[] }

const SESSION_TTL = '15s'
const RENEW_EVERY_MS = 7_500
/** How long to rest after a look that came back too early. */
const AGAIN_MS = 100

/** The agent that is asked. */
export type Asked = { NodeName: string; Datacenter: string }

/** In another datacenter than that of the agent, where this has no node, the session is bound to a server. */
export async function remoteJob(http: HttpClient, prefix: string, asked: Asked | undefined): Promise<Result<Job>> {
  const bound = asked && isElsewhere(http, asked) ? await boundToServer(http, asked) : { Name: 'Remote Exec' }
  if (isRefused(bound)) return bound
  const body = { ...bound, Behavior: 'delete', TTL: SESSION_TTL }
  const reply = await http.request('PUT', '/v1/session/create', { body })
  const created = isRefused(reply) ? reply : parseJson<{ ID: string }>(reply.body.toString('utf8'), '/v1/session/create')
  if (isRefused(created)) return created
  const id = created.value.ID
  const folder = `${prefix}/${id}/`
  const closing = new AbortController()
  const renewing = renew(http, id, closing.signal)
  const seen = new Set<string>()
  let index = 0
  return {
    id,
    prefix,
    async upload(spec) {
      const put = await http.request('PUT', `/v1/kv/${folder}job`, { params: { acquire: id }, body: JSON.stringify(spec) })
      if (isRefused(put)) return put
      return put.body.toString('utf8').trim() === 'true' ? null : refuse('conflict', 'could not acquire the key of the job')
    },
    async replies(waitMs, stop) {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(Math.max(1, Math.ceil(waitMs)))])
      const found = await lockEntries(http, folder, { recurse: true, index, waitMs, signal })
      if (signal.aborted) return { news: [] }
      if (isRefused(found)) return found
      const fresh = found.entries.filter(({ Key }) => !seen.has(Key))
      if (fresh.length === 0 && found.index === index) await pause(AGAIN_MS, signal)
      index = found.index
      for (const { Key } of fresh) seen.add(Key)
      return { news: inOrder(fresh.filter(({ Key }) => Key !== `${folder}job`).map((entry) => replyOf(entry, folder))) }
    },
    async close() {
      closing.abort()
      await renewing
      await http.request('DELETE', `/v1/kv/${folder}`, { params: { recurse: '' } })
      await http.request('PUT', `/v1/session/destroy/${id}`)
    },
  }
}

function isElsewhere({ settings: { datacenter } }: HttpClient, asked: Asked): boolean {
  return datacenter !== '' && datacenter.toLowerCase() !== asked.Datacenter
}

async function boundToServer(http: HttpClient, { NodeName, Datacenter }: Asked): Promise<Result<object>> {
  const servers = await http.json<{ Node: { Node: string } }[]>('/v1/health/service/consul', { passing: '1' })
  if (isRefused(servers)) return servers
  const [server] = servers.value
  if (!server) return refuse('missing', 'Failed to find Consul server in remote datacenter')
  return { Name: `Remote Exec via ${NodeName}@${Datacenter}`, Node: server.Node.Node, Checks: [] }
}

/** A renewal that fails shows when the session is needed. */
async function renew(http: HttpClient, id: string, closing: AbortSignal): Promise<void> {
  while (!closing.aborted) {
    await pause(RENEW_EVERY_MS, closing)
    if (!closing.aborted) await http.request('PUT', `/v1/session/renew/${id}`, { signal: closing })
  }
}

/** Keys sort an exit code before the output that led to it. */
function inOrder(news: Replies['news']): Replies['news'] {
  return Object.values(Object.groupBy(news, ({ node }) => `node ${node}`)).flatMap((ofNode = []) =>
    ofNode.toSorted((a, b) => Number(a.what === 'exit') - Number(b.what === 'exit')),
  )
}

function replyOf({ Key, Value }: LockEntry, folder: string): Replies['news'][number] {
  const [, node = '', what = ''] = /^([^/]+)\/(ack|exit|out)(?:\/[\da-f]+)?$/.exec(Key.slice(folder.length)) ?? []
  const text = Buffer.from(Value ?? '', 'base64').toString('utf8')
  return { node, what: what === 'ack' || what === 'exit' || what === 'out' ? what : 'other', text }
}
