import { type CaPlan, type CaProtocol, caRef } from '../../../actors/ca/protocol.ts'
import { CONNECT_DISABLED, caConfig, caRoots } from '../../../actors/ca/queries.ts'
import type { CaRoot } from '../../../actors/ca/tables.ts'
import { lastIndex } from '../../../actors/command.ts'
import { isCaProvider, readCaConfig } from '../../config/ca-config.ts'
import { NO_SERVERS } from '../../kernel/far.ts'
import { isRefused } from '../../kernel/refusal.ts'
import type { View } from '../../kernel/tables.ts'
import { decodeBody } from '../decode-body.ts'
import { goTime } from '../go-time.ts'
import { type AnswerTo, type HttpReply, type HttpRequest, question, type Reading, type Route } from '../route.ts'

/** Another program may have to make a key, and an RSA one takes seconds on a small machine. */
const CONFIGURE_WITHIN_MS = 60_000
const DISABLED: HttpReply = { status: 500, text: CONNECT_DISABLED }

/** GET /v1/connect/ca/roots */
export const caRootsRoute: Route = { method: 'GET', path: '/v1/connect/ca/roots', read: rootsReading }

/** GET /v1/agent/connect/ca/roots: the same, said to come from the agent's cache. */
export const agentCaRootsRoute: Route = {
  method: 'GET',
  path: '/v1/agent/connect/ca/roots',
  read(request, view, { isClient }) {
    // Nothing was ever heard from a server.
    if (isClient && lastIndex(view) === 0) return { status: 500, text: NO_SERVERS }
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
    const { provider, shown, forceWithoutCrossSigning, createIndex, modifyIndex } = found.config
    const json = {
      Provider: provider,
      Config: shown,
      State: null,
      ForceWithoutCrossSigning: forceWithoutCrossSigning,
      CreateIndex: createIndex,
      ModifyIndex: modifyIndex,
    }
    return { index: found.index, json }
  },
}

/** PUT /v1/connect/ca/configuration; with `?plan` it only says what would happen. */
export const caConfigureRoute: Route = {
  method: 'PUT',
  path: '/v1/connect/ca/configuration',
  statusOf: { invalid: 500, missing: 500, conflict: 500, busy: 500, late: 500, gone: 500 },
  ask({ body, query, token }) {
    const decoded = decodeBody(body, {
      Provider: 'string',
      Config: 'object',
      State: 'any',
      ForceWithoutCrossSigning: 'boolean',
      CreateIndex: 'ignored',
      ModifyIndex: 'ignored',
    })
    if (isRefused(decoded)) return { status: 400, text: `Bad request: Request decode failed: ${decoded.why}` }
    const { Provider: provider = '', Config: config = {}, State: state, ForceWithoutCrossSigning: force = false } = decoded
    if (state !== undefined && JSON.stringify(state) !== '{}') {
      return { status: 400, text: 'Bad request: Provider State is read-only. It must be omitted or identical to the current value' }
    }
    if (!isCaProvider(provider)) {
      return { status: 500, text: `could not initialize provider: unknown CA provider ${JSON.stringify(provider)}` }
    }
    const { settings, problems } = readCaConfig(provider, config)
    const [problem] = problems
    if (problem !== undefined) return { status: 500, text: `error configuring provider: ${problem}` }
    const request = { provider, config, settings: { ...settings, forceWithoutCrossSigning: force }, rehearse: query.has('plan'), token }
    return question(caRef, 'configure', request, CONFIGURE_WITHIN_MS)
  },
  reply: ({ plan }: AnswerTo<CaProtocol, 'configure'>) => (plan ? { json: shownPlan(plan) } : {}),
}

/** PUT /v1/tribune/connect/ca/abort: back to the root before the rotation under way. */
export const caAbortRoute: Route = {
  method: 'PUT',
  path: '/v1/tribune/connect/ca/abort',
  ask: ({ token }) => question(caRef, 'abort', { token }),
  reply: ({ rootId }: AnswerTo<CaProtocol, 'abort'>) => ({ json: { ActiveRootID: rootId } }),
}

function shownPlan(plan: CaPlan): object {
  return {
    Does: plan.does,
    Refused: plan.refusedWhy,
    RootID: plan.rootId,
    PrivateKeyType: plan.keyType,
    PrivateKeyBits: plan.keyBits,
    CrossSigned: plan.crossSigned,
    Proxies: plan.proxies,
    Trusting: plan.trusting,
    Behind: plan.behind,
    NotReporting: plan.silent,
    Leaves: plan.leaves,
    LeavesWithinMs: plan.leavesMs,
    RetireAt: plan.retireAtMs > 0 ? goTime(plan.retireAtMs) : null,
  }
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
