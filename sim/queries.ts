import { queryTable } from '../actors/prepared-queries/tables.ts'
import { apisOf } from './apis.ts'
import type { SimReply } from './clients.ts'
import type { Operation } from './history.ts'
import { askedFor, orderFault, wellInstances } from './models/discovery.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** A template answers for every name that begins with its own. */
const TEMPLATE_MARK = 'find-'
const PREFIX = 'query/'

export type QueryWish = { name: string; service: string; onlyPassing: string; ttlMs: number }
type Executed = { Service: string; Nodes: { Node: { Node: string }; Service: { ID: string } }[]; DNS: { TTL: string } }

/** Clients that keep prepared queries and ask them. Each writing of a query has a TTL of its own, by which it is known again. */
export class Queries {
  /** What one of them was told first and should not have been. */
  wrong: string | undefined
  readonly #run: Run
  readonly #ids: string[] = []

  constructor(run: Run) {
    this.#run = run
  }

  create(node: string, wish: QueryWish): void {
    const invokedMs = this.#run.world.nowMs
    this.#ask(node, 'POST', '/v1/query', bodyOf(wish), (reply) => {
      if (reply === 'lost' || reply.status !== 200) return
      const { ID: id } = reply.json as { ID: string }
      this.#ids.push(id)
      const operation = this.#run.history.begin(PREFIX + id, { client: node, do: 'put', value: ttlOf(wish), invokedMs })
      this.#settle(operation, true)
      this.#run.reach('query created')
    })
  }

  update(node: string, which: number, wish: QueryWish): void {
    this.#change(node, 'PUT', which, { do: 'put', value: ttlOf(wish) }, bodyOf(wish))
  }

  delete(node: string, which: number): void {
    this.#change(node, 'DELETE', which, { do: 'delete', value: null }, undefined)
  }

  /** `name`: of a query, or of what a template answers; '' for one of the ids. */
  execute(node: string, name: string, which: number, limit: number, near: string): void {
    const asked = name === '' ? this.#idOf(which) : name
    if (asked === undefined) return
    const invokedMs = this.#run.world.nowMs
    const query = { ...(limit > 0 && { limit: String(limit) }), ...(near !== '' && { near }) }
    apisOf(this.#run).request(node, 'GET', `/v1/query/${asked}/execute`, { query }, (reply) => {
      if (reply === 'lost' || (reply.status !== 200 && reply.status !== 404)) return
      const found = reply.status === 200 ? (reply.json as Executed) : undefined
      const fault = this.#executionFault(node, asked, limit, near, found)
      if (fault !== undefined) this.wrong ??= `${asked} on ${node}: ${fault}`
      this.#run.reach(found && found.Nodes.length > 0 ? 'query executed' : 'query found nothing')
      if (name === '') this.#noteRead(asked, node, invokedMs, found?.DNS.TTL ?? null)
    })
  }

  /** At rest every server has everything. */
  readEvery(): void {
    const { cluster, history, world } = this.#run
    for (const register of history.operations.keys()) {
      if (!register.startsWith(PREFIX)) continue
      for (const { tables } of cluster.servers) {
        const ttl = tables.view().get(queryTable, register.slice(PREFIX.length))?.dns.ttl ?? null
        const operation = history.begin(register, { client: 'checker', do: 'get', value: null, invokedMs: world.nowMs, outcome: ttl })
        operation.answeredMs = world.nowMs
      }
    }
  }

  #change(node: string, method: string, which: number, what: Pick<Operation, 'do' | 'value'>, body: object | undefined): void {
    const id = this.#idOf(which)
    if (id === undefined) return
    const { history, world } = this.#run
    const operation = history.begin(PREFIX + id, { ...what, client: node, invokedMs: world.nowMs })
    this.#ask(node, method, `/v1/query/${id}`, body, (reply) => {
      if (reply === 'lost') return
      if (reply.status === 200) {
        this.#settle(operation, true)
        this.#run.reach(`query ${what.do === 'put' ? 'updated' : 'deleted'}`)
      } else if (REFUSED.test(reply.text)) history.forget(PREFIX + id, operation)
    })
  }

  /** Compares an answer with what the tables hold at the moment at which it was given. */
  #executionFault(node: string, name: string, limit: number, near: string, found: Executed | undefined): string | undefined {
    const view = this.#run.cluster.node(node).tables.view()
    const asked = askedFor(view, name)
    if (!asked || !found)
      return asked || found ? `it was ${found ? '' : 'not '}found, although it is ${asked ? '' : 'not '}there` : undefined
    const { query, service } = asked
    if (found.Service !== service || found.DNS.TTL !== query.dns.ttl)
      return `it asked for ${found.Service} with ${found.DNS.TTL} instead of ${service} with ${query.dns.ttl}`
    const shown = found.Nodes.map(({ Node, Service }) => `${Node.Node} ${Service.ID}`)
    const well = wellInstances(view, service, query.service.onlyPassing)
    const strange = shown.find((instance, at) => !well.includes(instance) || shown.indexOf(instance) !== at)
    if (strange !== undefined) return `${strange} is no instance of ${service} that is well, or is there twice`
    const due = limit > 0 ? Math.min(limit, well.length) : well.length
    if (shown.length !== due) return `${shown.length} instances of ${service} instead of ${due}`
    if (near === '' || limit > 0) return undefined
    return orderFault(
      view,
      near,
      found.Nodes.map(({ Node }) => Node.Node),
      true,
    )
  }

  /** One of several servers may be behind. */
  #noteRead(id: string, node: string, invokedMs: number, outcome: string | null): void {
    const { cluster, history, world } = this.#run
    if (cluster.log) return
    const operation = history.begin(PREFIX + id, { client: node, do: 'get', value: null, invokedMs, outcome })
    operation.answeredMs = world.nowMs
  }

  #idOf(which: number): string | undefined {
    return this.#ids.length === 0 ? undefined : this.#ids[which % this.#ids.length]
  }

  #settle(operation: Operation, outcome: boolean): void {
    Object.assign(operation, { answeredMs: this.#run.world.nowMs, outcome })
  }

  #ask(node: string, method: string, path: string, body: object | undefined, done: (reply: SimReply | 'lost') => void): void {
    apisOf(this.#run).request(node, method, path, body ? { body } : {}, (reply) => {
      const { world } = this.#run
      world.trace.add(world.nowMs, `${method} ${path} ${reply === 'lost' ? reply : `${reply.status} ${reply.text}`}`)
      done(reply)
    })
  }
}

export const queriesOf = perRun((run: Run) => new Queries(run))

/** What says that nothing has happened. */
const REFUSED = /non-existent prepared query|aliases an existing/

function bodyOf({ name, service, onlyPassing, ...wish }: QueryWish): object {
  const isTemplate = name.startsWith(TEMPLATE_MARK)
  return {
    Name: name,
    ...(isTemplate && { Template: { Type: 'name_prefix_match' } }),
    Service: { Service: isTemplate ? `\${name.suffix}` : service, OnlyPassing: onlyPassing === 'true' },
    DNS: { TTL: ttlOf(wish) },
  }
}

function ttlOf({ ttlMs }: Pick<QueryWish, 'ttlMs'>): string {
  return `${ttlMs}ms`
}
