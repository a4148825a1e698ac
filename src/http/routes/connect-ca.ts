import { caRef } from '../../../actors/ca/protocol.ts'
import { CONNECT_DISABLED, caConfig, caRoots } from '../../../actors/ca/queries.ts'
import type { CaRoot } from '../../../actors/ca/tables.ts'
import { parseDuration } from '../../config/durations.ts'
import { isRefused, type Refusal } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { decodeBody } from '../decode-body.ts'
import { goTime } from '../go-time.ts'
import { type HttpReply, type HttpRequest, question, type Reading, type Route } from '../route.ts'

const LEAF_TTL_MS_MIN = 3_600_000
const LEAF_TTL_MS_MAX = 8_760 * 3_600_000
const DISABLED: HttpReply = { status: 500, text: CONNECT_DISABLED }

/** GET /v1/connect/ca/roots */
export const caRootsRoute: Route = { method: 'GET', path: '/v1/connect/ca/roots', read: rootsReading }

/** GET /v1/agent/connect/ca/roots: the same, said to come from the agent's cache. */
export const agentCaRootsRoute: Route = {
  method: 'GET',
  path: '/v1/agent/connect/ca/roots',
  read(request, view) {
    const reading = rootsReading(request, view)
    return 'index' in reading ? { ...reading, headers: { 'X-Cache': 'HIT', Age: '0' } } : reading
  },
}

/** GET /v1/connect/ca/configuration */
export const caConfigurationRoute: Route = {
  method: 'GET',
  path: '/v1/connect/ca/configuration',
  read(_request, view) {
    const found = caConfig(view)
    if (!found) return DISABLED
    const { shown, createIndex, modifyIndex } = found.config
    const json = {
      Provider: 'consul',
      Config: shown,
      State: null,
      ForceWithoutCrossSigning: false,
      CreateIndex: createIndex,
      ModifyIndex: modifyIndex,
    }
    return { index: found.index, json }
  },
}

/** PUT /v1/connect/ca/configuration: only the lifetime of leaves may change. */
export const caConfigureRoute: Route = {
  method: 'PUT',
  path: '/v1/connect/ca/configuration',
  statusOf: { invalid: 500, missing: 500 },
  ask({ body, token }) {
    const decoded = decodeBody(body, {
      Provider: 'string',
      Config: 'object',
      State: 'any',
      ForceWithoutCrossSigning: 'boolean',
      CreateIndex: 'ignored',
      ModifyIndex: 'ignored',
    })
    if (isRefused(decoded)) return { status: 400, text: `Bad request: Request decode failed: ${decoded.why}` }
    const { Provider: provider = 'consul', Config: config = {}, State: state } = decoded
    if (state !== undefined && JSON.stringify(state) !== '{}') {
      return { status: 400, text: 'Bad request: Provider State is read-only. It must be omitted or identical to the current value' }
    }
    if (provider !== 'consul')
      return { status: 500, text: `could not initialize provider: unknown CA provider ${JSON.stringify(provider)}` }
    const leafCertTtlMs = leafTtl(config)
    if (isRefused(leafCertTtlMs)) return { status: 500, text: `error configuring provider: ${leafCertTtlMs.why}` }
    return question(caRef, 'configure', { leafCertTtlMs, config, token })
  },
  reply: () => ({}),
}

function rootsReading({ query }: HttpRequest, view: View): Reading | HttpReply {
  const pem = query.has('pem') ? goBoolean(query.get('pem') ?? '') : false
  if (pem === undefined) return { status: 400, text: `Bad request: The 'pem' query parameter must be a boolean value` }
  const found = caRoots(view)
  if (!found) return DISABLED
  const { index, activeRootId, trustDomain, clusterId, roots } = found
  if (pem) {
    const text = roots.flatMap(({ certPem, intermediatesPem }) => [certPem, ...intermediatesPem]).join('')
    return { index, text, type: 'application/pem-certificate-chain' }
  }
  return { index, json: { ActiveRootID: activeRootId, TrustDomain: trustDomain, Roots: roots.map((root) => shownRoot(root, clusterId)) } }
}

function shownRoot(root: CaRoot, clusterId: string): object {
  return {
    ID: root.id,
    Name: root.name,
    SerialNumber: BigInt.asUintN(64, BigInt(`0x${root.serial.replaceAll(':', '') || '0'}`)),
    SigningKeyID: root.signingKeyId,
    ExternalTrustDomain: clusterId,
    NotBefore: goTime(root.notBeforeMs),
    NotAfter: goTime(root.notAfterMs),
    RootCert: root.certPem,
    IntermediateCerts: root.intermediatesPem.length > 0 ? root.intermediatesPem : null,
    Active: root.active,
    PrivateKeyType: root.keyType,
    PrivateKeyBits: root.keyBits,
    CreateIndex: root.createIndex,
    ModifyIndex: root.modifyIndex,
  }
}

/** What Go's strconv.ParseBool takes; '' is true, because the parameter once had no value. */
function goBoolean(text: string): boolean | undefined {
  if (/^(|1|t|T|TRUE|true|True)$/.test(text)) return true
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined
}

function leafTtl(config: Record<string, unknown>): number | Refusal {
  const written = config['LeafCertTTL'] ?? '72h'
  const ttlMs = typeof written === 'number' ? written / 1e6 : parseDuration(String(written))
  if (isRefused(ttlMs)) return { ...ttlMs, why: `error decoding 'LeafCertTTL': ${ttlMs.why}` }
  if (ttlMs < LEAF_TTL_MS_MIN) return { refused: 'invalid', why: 'leaf cert TTL must be greater or equal than 1h0m0s' }
  if (ttlMs > LEAF_TTL_MS_MAX) return { refused: 'invalid', why: 'leaf cert TTL must be less than 8760h0m0s' }
  return ttlMs
}
