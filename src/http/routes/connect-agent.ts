import type { Decision } from '../../../actors/intentions/decide.ts'
import { intentionsRef } from '../../../actors/intentions/index.ts'
import { type Leaf, leafRef } from '../../../actors/leaf/protocol.ts'
import { parseIdentity } from '../../../actors/spiffe.ts'
import { isRefused } from '../../kernel/refusal.ts'
import { waitOf } from '../blocking.ts'
import { decodeBody } from '../decode-body.ts'
import { goTime } from '../go-time.ts'
import { type HttpReply, question, type Route } from '../route.ts'

const LEAF_WITHIN_MS = 15_000

/** GET /v1/agent/connect/ca/leaf/:service: blocks while the leaf's index is not above `index`. */
export const leafRoute: Route = {
  method: 'GET',
  path: '/v1/agent/connect/ca/leaf/*service',
  async run({ rest: service, query, token }, context) {
    const wait = waitOf(query, context.settings)
    if (!('waitMs' in wait)) return wait
    const got = await context.asked(leafRef, 'get', { service, token }, LEAF_WITHIN_MS)
    if (isRefused(got)) return got
    if (wait.index === 0 || got.leaf.index > wait.index) return shown(got.leaf, got.cached, got.ageMs)
    const next = await context.awaited(leafRef, 'leaf', { service, token }, (_leaf, index) => index > wait.index, wait.waitMs)
    return next && next.index > wait.index ? shown(next.value, false, 0) : shown(got.leaf, true, got.ageMs)
  },
}

/** POST /v1/agent/connect/authorize */
export const authorizeRoute: Route = {
  method: 'POST',
  path: '/v1/agent/connect/authorize',
  ask({ body, token }) {
    const decoded = decodeBody(body, { Target: 'string', ClientCertURI: 'string', ClientCertSerial: 'string', Namespace: 'ignored' })
    if (isRefused(decoded)) return { status: 400, text: `Bad request: Request decode failed: ${decoded.why}` }
    const { Target: target = '', ClientCertURI: uri = '', ClientCertSerial: serial = '' } = decoded
    if (target === '') return { status: 400, text: 'Bad request: Target service must be specified' }
    const identity = parseIdentity(uri)
    if (isRefused(identity)) return { status: 400, text: 'Bad request: ClientCertURI not a valid Connect identifier' }
    if (identity.kind !== 'service') return { status: 400, text: 'Bad request: ClientCertURI not a valid Service identifier' }
    return question(intentionsRef, 'authorize', { target, uri, serial, token })
  },
  reply: ({ allowed, reason }: Decision) => ({ json: { Authorized: allowed, Reason: reason }, headers: { 'X-Cache': 'HIT', Age: '0' } }),
}

function shown(leaf: Leaf, cached: boolean, ageMs: number): HttpReply {
  return {
    headers: {
      'X-Consul-Index': String(leaf.index),
      'X-Cache': cached ? 'HIT' : 'MISS',
      ...(cached && { Age: String(Math.floor(ageMs / 1_000)) }),
    },
    json: {
      SerialNumber: leaf.serial,
      CertPEM: leaf.certPem,
      PrivateKeyPEM: leaf.keyPem,
      Service: leaf.service,
      ServiceURI: leaf.uri,
      ValidAfter: goTime(leaf.validAfterMs),
      ValidBefore: goTime(leaf.validBeforeMs),
      CreateIndex: leaf.index,
      ModifyIndex: leaf.index,
    },
  }
}
