import { createApi } from '../src/http/api.ts'
import { routes } from '../src/http/routes/index.ts'
import type { SimApi, SimReply, SimRequest } from './clients.ts'
import { createSimApi } from './clients.ts'
import type { SimNode } from './node.ts'
import { perRun } from './per-run.ts'
import type { Run } from './run.ts'

/** The HTTP API of every agent, as clients on its machine reach it. */
export class Apis {
  readonly #run: Run
  readonly #open = new Map<string, SimApi>()

  constructor(run: Run) {
    this.#run = run
  }

  /** An edge thread begins to run: connections to the one before it are lost. */
  begun(node: SimNode): void {
    this.#open.get(node.name)?.end()
    const { config, layout, files, edge: host } = node
    const api = createSimApi({ host, config, layout, files })
    this.#open.set(node.name, this.#run.mutations.wrapApi(api, host.ports.clock.after))
  }

  /**
   * Asks the agent of a node that is up; `done` is called once, with `lost` if the agent ended first. The answer of this function
   * ends the connection.
   */
  request(node: string, method: string, path: string, request: SimRequest, done: (reply: SimReply | 'lost') => void): () => void {
    const api = this.#open.get(node)
    if (!api) throw new Error(`broken promise: the agent of ${node} has begun`)
    return api.request(method, path, request, done)
  }

  /** What a GET on a node that is up finds now, without anything that was kept; of a client what a server finds. */
  readNow(name: string, url: string): { status: number; body: string } {
    const { edge: host, config, layout } = this.#run.cluster.stateFor(name)
    const found = { status: 0, body: '' }
    // At once: whoever asks the log first would answer later.
    const asked = config.etcd ? `${url}${url.includes('?') ? '&' : '?'}stale` : url
    createApi({ host, config, layout, routes }).handle(
      { method: 'GET', url: asked, headers: {}, from: '127.0.0.1', readBody: (_bytesMax, done) => done(NO_BODY) },
      ({ status, bytes }) => Object.assign(found, { status, body: bytes.toString() }),
    )
    return found
  }
}

export const apisOf = perRun((run: Run) => new Apis(run))

const NO_BODY = Buffer.alloc(0)

/** Whether an answer says that what was asked for has not happened and will not. Without an answer nobody knows. */
export function isRefusedForSure({ status }: SimReply): boolean {
  return status >= 400 && status < 500
}
