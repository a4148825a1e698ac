import type { KeptFeedsState } from '../../actors/kept-feeds/index.ts'
import { type Mutant, mutant, wrapHandler } from './mutant.ts'

/** What is answered where nobody knows whether a request was carried out. */
const UNKNOWN = /^rpc error making call/
const AGAIN_MS = 500

export const lostServerNotReplaced: Mutant = mutant({
  name: 'lost-server-not-replaced',
  about: 'a client that loses its server does not look for another one, and asks nobody any more',
  caughtBy: 'catalog-agrees',
  scenario: 'clients',
  mutations: wrapHandler('router', 'link', () => () => undefined),
})

export const writeAskedAgain: Mutant = mutant({
  name: 'write-asked-again',
  about: 'a client whose server goes away while it writes asks the next one for the same write, although it may have happened',
  caughtBy: 'kv-is-linearizable',
  scenario: 'clients',
  mutations: {
    wrapApi: (api, after) => ({
      ...api,
      request(method, path, request, done) {
        let giveUp: () => void = () => undefined
        const cancel = api.request(method, path, request, (reply) => {
          if (method === 'GET' || reply === 'lost' || !UNKNOWN.test(reply.text)) return done(reply)
          after(AGAIN_MS, () => {
            giveUp = api.request(method, path, request, done)
          })
        })
        return () => {
          cancel()
          giveUp()
        }
      },
    }),
  },
})

export const keptFeedsNeverReplaced: Mutant = mutant({
  name: 'kept-feeds-never-replaced',
  about: 'sidecars of clients go on with the first intentions that their agent was told, whatever it is told later',
  caughtBy: 'denied-is-denied',
  scenario: 'clients',
  mutations: wrapHandler('kept-feeds', 'arrived', (handler) => (state, request, turn, from) => {
    const entry = (state as KeptFeedsState).entries.get((request as { name: string }).name)
    if (entry?.question.feed === 'intentions' && entry.known !== undefined) return undefined
    return handler(state, request, turn, from)
  }),
})

export const feedsNotKept: Mutant = mutant({
  name: 'feeds-not-kept',
  about: 'a client does not keep what it was told over a restart: without a server its sidecars know nobody',
  caughtBy: 'clients-carry-on',
  scenario: 'away',
  mutations: wrapHandler('kept-feeds', 'save', () => () => undefined),
})
