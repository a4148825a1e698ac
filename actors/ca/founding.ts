import type { Handlers, Turn } from '../../src/kernel/actor.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { commit } from '../ledger.ts'
import { parseColonHex, trustDomainOf } from '../spiffe.ts'
import { newRoot } from './new-root.ts'
import type { CaOwn, CaState } from './state.ts'

const ROOT_SERIAL = 1
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000
/** Serial numbers of given roots above this are some other authority's random ones, and not continued. */
const CONTINUED_SERIAL_MAX = 2 ** 40
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function newFounding(): CaState['founding'] {
  return { clusterId: '', failures: 0, underWay: false }
}

/** Begins to make the first root. Harmless while that is under way. */
export function found({ args, founding: steps }: CaState, turn: Turn<CaOwn>): void {
  if (steps.underWay) return
  steps.underWay = true
  steps.clusterId = turn.random.uuid()
  const { config, settings, datacenter } = args
  const { clusterId } = steps
  const authority = { provider: settings.provider, config, trustDomain: trustDomainOf(clusterId), clusterId, datacenter }
  const unique = turn.random.uuid()
  turn.act(
    'authority',
    { do: 'prepare', authority, state: {}, serial: ROOT_SERIAL, unique, nowMs: turn.nowMs, rehearse: false, founds: true },
    { then: (outcome) => ({ name: 'foundingPrepared', request: outcome }) },
  )
}

/** The steps after it. */
export const founding: Pick<Handlers<object, CaOwn, CaState>, 'foundingPrepared' | 'founded' | 'foundAgain'> = {
  foundingPrepared(state, outcome, turn) {
    if (isRefused(outcome)) return failed(state, outcome, turn)
    const { prepared } = outcome
    if (!prepared) return failed(state, { refused: 'invalid', why: 'the provider has no root' }, turn)
    const { args, founding: steps } = state
    const named = clusterIdOf(prepared.trustDomain)
    if (isRefused(named)) return failed(state, named, turn)
    const request = {
      clusterId: named ?? steps.clusterId,
      settings: args.settings,
      config: args.config,
      crossSigns: prepared.crossSigns,
      crossPem: [],
      state: prepared.state,
      nextSerial: serialAfter(prepared.serial),
      root: newRoot(prepared, []),
    }
    commit(turn, 'ca.bootstrap', request, (result) => ({ name: 'founded', request: result }))
  },

  founded(state, result, turn) {
    if (isRefused(result)) return failed(state, result, turn)
    state.founding = newFounding()
    if (result.founded) turn.print('info', 'certificate authority initialized', { provider: state.args.settings.provider })
  },

  foundAgain(state, _request, turn) {
    found(state, turn)
  },
}

/** The cluster to which a root belongs that was there before it; undefined if it names none. */
function clusterIdOf(trustDomain: string | undefined): Result<string> | undefined {
  if (trustDomain === undefined) return undefined
  const clusterId = trustDomain.replace(/\.consul$/, '')
  if (UUID.test(clusterId) && trustDomainOf(clusterId) === trustDomain) return clusterId
  return refuse('invalid', `the root names the trust domain ${trustDomain}, which is not a UUID and ".consul"`)
}

function failed({ founding: steps }: CaState, { why }: Refusal, turn: Turn<CaOwn>): void {
  steps.underWay = false
  const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** steps.failures++)
  turn.print('error', 'could not initialize the certificate authority', { error: why, retryMs: waitMs })
  turn.timer('found', waitMs, { name: 'foundAgain', request: null })
}

function serialAfter(text: string): number {
  const bytes = parseColonHex(text)
  const serial = isRefused(bytes) ? 0 : bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  return serial > 0 && serial < CONTINUED_SERIAL_MAX ? serial + 1 : ROOT_SERIAL + 1
}
