import type { SimApi, SimReply } from '../clients.ts'
import { type Mutant, mutant } from './mutant.ts'

export const watchWakesForNothing: Mutant = mutant({
  name: 'watch-wakes-for-nothing',
  about: 'a blocking query is answered at once, changed or not',
  caughtBy: 'watches-are-true',
  runsMax: 10,
  mutations: {
    wrapApi: (api) => ({
      ...api,
      request(method, path, { query: { index: _ignored, ...query } = {}, ...request }, done) {
        return api.request(method, path, { ...request, query }, done)
      },
    }),
  },
})

export const answersKeptTooLong: Mutant = mutant({
  name: 'answers-kept-too-long',
  about: 'every third answer to a read is the one that was given to the same question before',
  caughtBy: 'kv-is-linearizable',
  nodes: 1,
  runsMax: 10,
  mutations: { wrapApi: keptTooLong },
})

export const watchHearsNothing: Mutant = mutant({
  name: 'watch-hears-nothing',
  about: 'a blocking query is not woken by a change, only by the end of its wait',
  caughtBy: 'watches-miss-nothing',
  runsMax: 20,
  mutations: {
    wrapApi: (api) => ({
      ...api,
      request(method, path, request, done) {
        const { query } = request
        if (query?.['index'] === undefined || path.startsWith('/v1/event/')) return api.request(method, path, request, done)
        return api.request(method, path, { ...request, query: { ...query, index: String(Number.MAX_SAFE_INTEGER) } }, done)
      },
    }),
  },
})

function keptTooLong(api: SimApi): SimApi {
  const kept = new Map<string, SimReply>()
  let count = 0
  return {
    ...api,
    request(method, path, request, done) {
      if (method !== 'GET' || request.query !== undefined) return api.request(method, path, request, done)
      const last = kept.get(path)
      return api.request(method, path, request, (reply) => {
        if (reply !== 'lost') kept.set(path, reply)
        done(last && ++count % 3 === 0 ? last : reply)
      })
    },
  }
}
