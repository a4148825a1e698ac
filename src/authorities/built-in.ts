import { keySizeFault } from '../../actors/certificate-rules.ts'
import { authorityCommonName, serialText, signingUri } from '../../actors/spiffe.ts'
import type {
  AuthorityOutcome,
  AuthorityRequest,
  AuthorityState,
  CertificateAuthority,
  Device,
  KeyType,
  PreparedAuthority,
  SignerOutcome,
  SignerRequest,
} from '../kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../kernel/refusal.ts'
import { namedTrustDomain, rootFault } from './root-rules.ts'

export type Asked<Do extends AuthorityRequest['do']> = Extract<AuthorityRequest, { do: Do }>
export type Done = (outcome: Result<AuthorityOutcome>) => void
export type Signer = Device<SignerRequest, SignerOutcome>

/**
 * The cluster's own authority: a root key that the cluster keeps, or one that the configuration gives. Its state is `keyPem` and
 * `certPem`. There is nothing of the world in it, so real and simulated agents share it.
 */
export function createBuiltInAuthority(signer: Signer): Device<AuthorityRequest, AuthorityOutcome> {
  const ask = (request: SignerRequest, done: (outcome: Result<SignerOutcome>) => void) => signer.perform(request, done, () => undefined)
  return {
    perform(request, done) {
      switch (request.do) {
        case 'prepare':
          return prepare(request, ask, done)
        case 'sign':
          return signLeaf(request, authorityIn(request.state), ask, done)
        case 'cross-sign':
          if (request.authority.config['DisableCrossSigning'] === true) return done(refuse('invalid', 'DisableCrossSigning is set'))
          return crossSign(request, authorityIn(request.state), ask, done)
        case 'check':
        case 'retire':
          return done({})
      }
    },
  }
}

export type AskSigner = (request: SignerRequest, done: (outcome: Result<SignerOutcome>) => void) => void

/** A leaf, with the key of `by`. */
export function signLeaf(request: Asked<'sign'>, by: CertificateAuthority, ask: AskSigner, done: Done): void {
  const { csrPem, commonName, uri, serial, notBeforeMs, notAfterMs } = request
  ask({ do: 'leaf', csrPem, by, commonName, uri, serial, notBeforeMs, notAfterMs }, (outcome) =>
    done(isRefused(outcome) ? outcome : { certPem: outcome.certPem ?? '', chainPem: [], serial: serialText(serial) }),
  )
}

/** Another root's key, signed with the key of `by`. */
export function crossSign(request: Asked<'cross-sign'>, by: CertificateAuthority, ask: AskSigner, done: Done): void {
  const { certPem, serial, notBeforeMs, notAfterMs } = request
  ask({ do: 'cross-sign', certPem, by, serial, notBeforeMs, notAfterMs }, (outcome) =>
    done(isRefused(outcome) ? outcome : { certPem: outcome.certPem ?? '' }),
  )
}

const ROOT_TTL_MS = 3_652 * 24 * 3_600_000
/** Roots are valid from a day before now: what a clock shows may be corrected, and the clocks of other machines are behind. */
const ROOT_BACKDATED_MS = 24 * 3_600_000
const ROOT_NAME = 'Consul CA Primary Cert'

function prepare(request: Asked<'prepare'>, ask: AskSigner, done: Done): void {
  const { authority, state, rehearse } = request
  const keyPem = textIn(authority.config, 'PrivateKey')
  const certPem = textIn(authority.config, 'RootCert')
  const kind = keyKind(authority.config)
  for (const fault of [keyPem, certPem, kind]) if (isRefused(fault)) return done(fault)
  const given = { keyPem: String(keyPem), certPem: String(certPem) }
  if (given.keyPem === '' && given.certPem !== '') return done(refuse('invalid', 'RootCert: cannot be given without its PrivateKey'))
  if (given.certPem !== '') return readRoot(request, given, ask, done)
  const known = { keyPem: state['keyPem'] ?? '', certPem: state['certPem'] ?? '' }
  if (known.certPem !== '' && (given.keyPem === '' || given.keyPem === known.keyPem)) return readRoot(request, known, ask, done)
  if (given.keyPem !== '') return makeRoot(request, given.keyPem, ask, done)
  if (isRefused(kind)) return done(kind)
  if (rehearse) return done({ prepared: notMade(request, kind) })
  ask({ do: 'key', ...kind }, (outcome) => {
    if (isRefused(outcome)) return done(outcome)
    makeRoot(request, outcome.keyPem ?? '', ask, done)
  })
}

function makeRoot(request: Asked<'prepare'>, keyPem: string, ask: AskSigner, done: Done): void {
  const { authority, serial, unique, nowMs } = request
  const { trustDomain } = authority
  const names = { commonName: authorityCommonName({ unique, trustDomain }), uri: signingUri(trustDomain) }
  const times = { notBeforeMs: nowMs - ROOT_BACKDATED_MS, notAfterMs: nowMs + ROOT_TTL_MS }
  ask({ do: 'root', keyPem, ...names, serial, ...times }, (outcome) => {
    if (isRefused(outcome)) return done(named(outcome, 'keyPem', 'PrivateKey'))
    readRoot(request, { keyPem, certPem: outcome.certPem ?? '' }, ask, done)
  })
}

function readRoot({ authority, nowMs, founds }: Asked<'prepare'>, by: CertificateAuthority, ask: AskSigner, done: Done): void {
  ask({ do: 'read-authority', by }, (facts) => {
    if (isRefused(facts)) return done(named(named(facts, 'by.certPem', 'RootCert'), 'by.keyPem', 'PrivateKey'))
    const fault = rootFault(facts, { trustDomain: founds ? undefined : authority.trustDomain, nowMs })
    if (fault !== undefined) return done(refuse('invalid', `RootCert: ${fault}`))
    const crossSigns = authority.config['DisableCrossSigning'] !== true
    done({ prepared: preparedOf(facts, by.certPem, { state: { ...by }, crossSigns, name: ROOT_NAME }) })
  })
}

/** What is known of a root that signs leaves itself. */
export function preparedOf(
  facts: SignerOutcome,
  rootPem: string,
  rest: Pick<PreparedAuthority, 'state' | 'crossSigns' | 'name'>,
): PreparedAuthority {
  const trustDomain = namedTrustDomain(facts)
  return {
    ...(trustDomain !== undefined && { trustDomain }),
    rootPem,
    rootId: facts.id ?? '',
    serial: facts.serial ?? '',
    commonName: facts.commonName ?? '',
    notBeforeMs: facts.notBeforeMs ?? 0,
    notAfterMs: facts.notAfterMs ?? 0,
    keyType: facts.keyType ?? 'ec',
    keyBits: facts.keyBits ?? 0,
    signingKeyId: facts.keyId ?? '',
    intermediatesPem: [],
    ...rest,
  }
}

function notMade({ authority, nowMs }: Asked<'prepare'>, kind: KeyKind): PreparedAuthority {
  const facts = { keyType: kind.type, keyBits: kind.bits, notBeforeMs: nowMs - ROOT_BACKDATED_MS, notAfterMs: nowMs + ROOT_TTL_MS }
  return preparedOf(facts, '', { state: {}, crossSigns: authority.config['DisableCrossSigning'] !== true, name: ROOT_NAME })
}

function authorityIn(state: AuthorityState): CertificateAuthority {
  return { certPem: state['certPem'] ?? '', keyPem: state['keyPem'] ?? '' }
}

/** A key of the configuration that holds a text; '' where it is absent. */
export function textIn(config: Record<string, unknown>, key: string): Result<string> {
  const value = config[key] ?? ''
  return typeof value === 'string' ? value : refuse('invalid', `${key}: must be a text, got ${JSON.stringify(value)}`)
}

type KeyKind = { type: KeyType; bits: number }
const BITS_DEFAULT: Readonly<Record<KeyType, number>> = { ec: 256, rsa: 2048 }

/** What kind of key a configuration asks for; ec of 256 bits where it does not say. */
export function keyKind(config: Record<string, unknown>): Result<KeyKind> {
  const written = config['PrivateKeyType'] ?? ''
  const type = written === '' ? 'ec' : written
  if (type !== 'ec' && type !== 'rsa') return refuse('invalid', "private key type must be either 'ec' or 'rsa'")
  const bits = Number(config['PrivateKeyBits'] ?? 0) || BITS_DEFAULT[type]
  const fault = keySizeFault(type, bits)
  return fault === undefined ? { type, bits } : refuse('invalid', fault.replace(/^\w+: /, ''))
}

/** The refusal with its field called as people wrote it. */
function named({ refused, why }: Refusal, field: string, key: string): Refusal {
  return refuse(refused, why.replaceAll(field, key))
}
