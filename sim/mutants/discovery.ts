import type { SimReply } from '../clients.ts'
import { type AnyCommand, type Mutant, mutant, wrapApply } from './mutant.ts'

export const executionsKept: Mutant = mutant({
  name: 'executions-kept',
  about: 'a prepared query is answered with what it was answered before',
  caughtBy: 'queries-are-true',
  runsMax: 20,
  mutations: {
    wrapApi(api) {
      const kept = new Map<string, SimReply>()
      return {
        ...api,
        request(method, path, request, done) {
          if (!path.endsWith('/execute')) return api.request(method, path, request, done)
          const key = `${path}?${new URLSearchParams(request.query)}`
          return api.request(method, path, request, (reply) => {
            const last = kept.get(key)
            if (reply !== 'lost') kept.set(key, reply)
            done(last ?? reply)
          })
        },
      }
    },
  },
})

export const queryUpdateLost: Mutant = mutant({
  name: 'query-update-lost',
  about: 'a change of a prepared query is acknowledged and not carried out',
  caughtBy: 'queries-are-linearizable',
  nodes: 1,
  runsMax: 20,
  mutations: wrapApply((apply) => (tx, commands) => {
    const isUpdate = ({ kind }: AnyCommand) => kind === 'queries.update'
    const given = commands as AnyCommand[]
    const applied = apply(
      tx,
      given.filter((command) => !isUpdate(command)),
    )
    let next = 0
    return { ...applied, outcomes: given.map((command) => (isUpdate(command) ? null : applied.outcomes[next++])) } as typeof applied
  }),
})

export const nearIgnored: Mutant = mutant({
  name: 'near-ignored',
  about: 'nobody looks at which node the nearest are wanted of',
  caughtBy: 'nearest-come-first',
  nodes: 5,
  runsMax: 20,
  mutations: {
    wrapApi: (api) => ({
      ...api,
      request(method, path, { query, ...request }, done) {
        const { near: _ignored, ...rest } = query ?? {}
        return api.request(method, path, { ...request, ...(query && { query: rest }) }, done)
      },
    }),
  },
})
