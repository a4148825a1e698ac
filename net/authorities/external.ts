import { readFile, stat } from 'node:fs/promises'
import { type Asked, type AskSigner, crossSign, type Done, preparedOf, signLeaf, textIn } from '../../src/authorities/built-in.ts'
import { type RootRules, rootFault, trustDomainFault, validityFault } from '../../src/authorities/root-rules.ts'
import type {
  AuthorityOutcome,
  AuthorityRequest,
  AuthorityState,
  CertificateAuthority,
  Device,
  SignerOutcome,
  SignerRequest,
} from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { endMs, isSignedBy, pathLengthOf } from './certificates.ts'

/**
 * An authority that an operator brings as files: `CertFile` has the certificate that signs leaves and then those that lead from it
 * to the root, `KeyFile` its private key, `RootFile` the self-signed root. Without `RootFile` the last certificate of `CertFile`
 * must be self-signed. Files are read when it is prepared, by the server that is asked; what they held is its state.
 */
export function createExternalAuthority(signer: Device<SignerRequest, SignerOutcome>): Device<AuthorityRequest, AuthorityOutcome> {
  const ask: AskSigner = (request, done) => signer.perform(request, done, () => undefined)
  return {
    perform(request, done) {
      switch (request.do) {
        case 'prepare':
          prepare(request, ask).then(done, (error: unknown) => done(refuse('busy', messageOf(error))))
          return
        case 'sign':
          return signLeaf(request, signerIn(request.state), ask, done)
        case 'cross-sign':
          return crossSignIfAllowed(request, ask, done)
        case 'check':
        case 'retire':
          return done({})
      }
    },
  }
}

const ROOT_NAME = 'External CA Primary Cert'
/** A file with certificates is shorter; another one was meant. */
const FILE_BYTES_MAX = 262_144

async function prepare({ authority, nowMs, founds }: Asked<'prepare'>, ask: AskSigner): Promise<Result<AuthorityOutcome>> {
  const { config } = authority
  const trustDomain = founds ? undefined : authority.trustDomain
  const certs = await certificatesIn(config, 'CertFile')
  if (isRefused(certs)) return certs
  const keyPem = await fileIn(config, 'KeyFile')
  if (isRefused(keyPem)) return keyPem
  const roots = config['RootFile'] === undefined ? certs.slice(-1) : await certificatesIn(config, 'RootFile')
  if (isRefused(roots)) return roots
  const [rootPem = ''] = roots
  if (roots.length !== 1) return refuse('invalid', `RootFile: must hold one certificate, holds ${roots.length}`)
  const intermediates = certs.filter((pem) => pem !== rootPem)
  const signingPem = intermediates[0] ?? rootPem
  const own = await asked(ask, { do: 'read-authority', by: { certPem: signingPem, keyPem } })
  if (isRefused(own)) return refuse(own.refused, own.why.replace('by.certPem', 'CertFile').replace('by.keyPem', 'KeyFile'))
  const root = await rootFacts([...intermediates, rootPem], { trustDomain, nowMs }, ask)
  if (isRefused(root)) return root
  const ends = intermediates.length > 0 && { signsUntilMs: Math.min(...intermediates.map(endMs)) }
  const state = { keyPem, certPem: signingPem, chainPem: intermediates.join('') }
  const prepared = preparedOf(root, rootPem, { state, crossSigns: pathLengthOf(signingPem) > 0, name: ROOT_NAME })
  return { prepared: { ...prepared, signingKeyId: own.keyId ?? '', intermediatesPem: intermediates, ...ends } }
}

/** Facts of the last certificate, once every certificate was found to be a valid CA that the next one signed. */
async function rootFacts(chain: string[], rules: RootRules, ask: AskSigner): Promise<Result<SignerOutcome>> {
  for (const [position, certPem] of chain.entries()) {
    const facts = await asked(ask, { do: 'read-certificate', certPem })
    const isRoot = position === chain.length - 1
    const what = isRoot ? 'RootFile' : `CertFile: certificate ${position + 1} of ${chain.length - 1}`
    if (isRefused(facts)) return refuse('invalid', `${what}: ${facts.why.replace(/^certPem: /, '')}`)
    const fault = isRoot ? rootFault(facts, rules) : intermediateFault(facts, rules)
    if (fault !== undefined) return refuse('invalid', `${what}: ${fault}`)
    if (pathLengthOf(certPem) < position) return refuse('invalid', `${what}: its path length is too short for the ${position} CAs below it`)
    if (isRoot) return facts
    if (!isSignedBy(certPem, chain[position + 1] ?? '')) {
      return refuse(
        'invalid',
        `${what}: not signed by the certificate after it (${position + 2 === chain.length ? 'the root' : 'the next one'})`,
      )
    }
  }
  return refuse('invalid', 'RootFile: holds no certificate')
}

function intermediateFault(facts: SignerOutcome, { trustDomain, nowMs }: RootRules): string | undefined {
  if (!facts.isCa) return 'not a CA certificate'
  return validityFault(facts, nowMs) ?? (trustDomain === undefined ? undefined : trustDomainFault(facts, trustDomain))
}

async function certificatesIn(config: Record<string, unknown>, key: string): Promise<Result<string[]>> {
  const text = await fileIn(config, key)
  if (isRefused(text)) return text
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  return blocks.length > 0
    ? blocks.map((block) => `${block.replaceAll('\r', '')}\n`)
    : refuse('invalid', `${key}: no PEM certificate in the file`)
}

async function fileIn(config: Record<string, unknown>, key: string): Promise<Result<string>> {
  const path = textIn(config, key)
  if (isRefused(path)) return path
  if (path === '') return refuse('invalid', `${key}: must name a file`)
  try {
    const { size } = await stat(path)
    if (size > FILE_BYTES_MAX) return refuse('invalid', `${key}: ${path} has ${size} bytes, at most ${FILE_BYTES_MAX} are read`)
    return await readFile(path, 'utf8')
  } catch (error) {
    return refuse('invalid', `${key}: ${messageOf(error)}`)
  }
}

/** A certificate that this one signs is trusted by way of this one and what is above it. */
function crossSignIfAllowed(request: Asked<'cross-sign'>, ask: AskSigner, done: Done): void {
  const by = signerIn(request.state)
  if (pathLengthOf(by.certPem) === 0) return done(refuse('invalid', 'the certificate in CertFile may sign leaves only (path length 0)'))
  crossSign(request, by, ask, (outcome) =>
    done(isRefused(outcome) ? outcome : { ...outcome, chainPem: [request.state['chainPem'] ?? ''].filter((pem) => pem !== '') }),
  )
}

function signerIn(state: AuthorityState): CertificateAuthority {
  return { certPem: state['certPem'] ?? '', keyPem: state['keyPem'] ?? '' }
}

function asked(ask: AskSigner, request: SignerRequest): Promise<Result<SignerOutcome>> {
  return new Promise((resolve) => ask(request, resolve))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
