import type { Handlers, Turn } from '../../src/kernel/actor.ts'
import { isRefused, type Refusal } from '../../src/kernel/refusal.ts'
import { commit } from '../ledger.ts'
import { authorityCommonName, parseColonHex, signingUri, trustDomainOf } from '../spiffe.ts'
import type { CaOwn, CaState } from './state.ts'

const ROOT_TTL_MS = 3_652 * 24 * 3_600_000
/** Roots are valid from a day before now: what a clock shows may be corrected, and the clocks of other machines are behind. */
const ROOT_BACKDATED_MS = 24 * 3_600_000
const ROOT_SERIAL = 1
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000
/** Serial numbers of given roots above this are some other authority's random ones, and not continued. */
const CONTINUED_SERIAL_MAX = 2 ** 40

export function newFounding(): CaState['founding'] {
  return { clusterId: '', failures: 0, underWay: false }
}

/** Begins to make the first root. Harmless while that is under way. */
export function found({ args, founding: steps }: CaState, turn: Turn<CaOwn>): void {
  if (steps.underWay) return
  steps.underWay = true
  steps.clusterId = turn.random.uuid()
  if (args.privateKeyPem !== '') return readRoot(args.privateKeyPem, args.rootCertPem, turn)
  turn.act('signer', { do: 'key', type: args.keyType, bits: args.keyBits }, { then: (outcome) => ({ name: 'keyMade', request: outcome }) })
}

/** The steps after it. */
export const founding: Pick<Handlers<object, CaOwn, CaState>, 'keyMade' | 'rootMade' | 'rootRead' | 'founded' | 'foundAgain'> = {
  keyMade(state, outcome, turn) {
    if (isRefused(outcome)) return failed(state, outcome, turn)
    const keyPem = outcome.keyPem ?? ''
    const trustDomain = trustDomainOf(state.founding.clusterId)
    turn.act(
      'signer',
      {
        do: 'root',
        keyPem,
        commonName: authorityCommonName({ unique: turn.random.uuid(), trustDomain }),
        uri: signingUri(trustDomain),
        serial: ROOT_SERIAL,
        notBeforeMs: turn.nowMs - ROOT_BACKDATED_MS,
        notAfterMs: turn.nowMs + ROOT_TTL_MS,
      },
      { then: (made) => ({ name: 'rootMade', request: { keyPem, outcome: made } }) },
    )
  },

  rootMade(state, { keyPem, outcome }, turn) {
    if (isRefused(outcome)) return failed(state, outcome, turn)
    readRoot(keyPem, outcome.certPem ?? '', turn)
  },

  rootRead(state, { keyPem, certPem, outcome }, turn) {
    if (isRefused(outcome)) return failed(state, outcome, turn)
    const serial = outcome.serial ?? ''
    const request = {
      clusterId: state.founding.clusterId,
      settings: state.args.settings,
      keyPem,
      nextSerial: serialAfter(serial),
      root: {
        id: outcome.id ?? '',
        name: 'Consul CA Primary Cert',
        commonName: outcome.commonName ?? '',
        serial,
        signingKeyId: outcome.keyId ?? '',
        notBeforeMs: outcome.notBeforeMs ?? turn.nowMs,
        notAfterMs: outcome.notAfterMs ?? turn.nowMs,
        certPem,
        intermediatesPem: [],
        keyType: outcome.keyType ?? state.args.keyType,
        keyBits: outcome.keyBits ?? state.args.keyBits,
      },
    }
    commit(turn, 'ca.bootstrap', request, (result) => ({ name: 'founded', request: result }))
  },

  founded(state, result, turn) {
    if (isRefused(result)) return failed(state, result, turn)
    state.founding = newFounding()
    if (result.founded) turn.print('info', 'certificate authority initialized', { provider: 'consul' })
  },

  foundAgain(state, _request, turn) {
    found(state, turn)
  },
}

function readRoot(keyPem: string, certPem: string, turn: Turn<CaOwn>): void {
  turn.act(
    'signer',
    { do: 'read-certificate', certPem },
    { then: (outcome) => ({ name: 'rootRead', request: { keyPem, certPem, outcome } }) },
  )
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
