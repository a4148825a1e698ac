import type { Told } from '../../actors/decisions/protocol.ts'
import type { IntentionsOn } from '../../actors/feeds/protocol.ts'
import { decide, ruleText } from '../../actors/intentions/decide.ts'
import { parseIdentity, peerSerial } from '../../actors/spiffe.ts'
import type { ProxyPlan } from '../connect-proxy/translate.ts'
import { isRefused } from '../kernel/refusal.ts'
import type { Identity } from './configuration.ts'

/** Somebody was refused by HAProxy, as far as its log says. `frontend` is where the connection came in. */
export type Logged =
  /** Its certificate is good, but not who it is. `uri` is '' where it names nobody of the mesh. */
  | { what: 'denied'; from: string; serial: string; uri: string }
  /** It was let in, and a change of the intentions closed it. */
  | { what: 'closed'; from: string; service: string }
  | { what: 'handshake'; from: string; why: string }
  /** The application took no connection of somebody who was let in. */
  | { what: 'application'; from: string; uri: string; why: string }
  /** No instance of an upstream took it. */
  | { what: 'unreachable'; frontend: string; from: string; why: string }
  | { what: 'no-instance'; frontend: string; from: string }
  /** The server of an upstream showed another identity, or none. */
  | { what: 'stranger'; shown: string; expected: string }

/** What a line of HAProxy's log says of a refusal, if anything. `mesh-…` are lines of ./lua.ts and of the formats in ./configuration.ts. */
export function loggedIn(line: string): Logged | undefined {
  const [, mark = '', rest = ''] = /^mesh-([a-z]+) (.*)$/.exec(line) ?? []
  const [first = '', second = '', third = ''] = rest.split(' ')
  if (mark === 'denied') return { what: 'denied', from: first, serial: peerSerial(second), uri: third === NOBODY ? '' : third }
  if (mark === 'stranger') return { what: 'stranger', shown: first, expected: second }
  if (mark === 'handshake') return { what: 'handshake', from: first, why: handshakeWhy(rest.slice(first.length + 1)) }
  const [, from = '', frontend = '', server = '', state = ''] =
    /^(\S+:\d+) ([a-z_0-9]+)~? [a-z_0-9]+\/(\S+) ([A-Za-z])[A-Za-z-] \d+( |$)/.exec(line) ?? []
  // Who ended it while the server was being connected to: the server did, or there was not enough time. The second letter is C.
  const isUnconnected = /^\S+ \S+ \S+ [Ss]C /.test(line)
  if (!isUnconnected) return undefined
  const why = state === 's' ? 'connection timed out' : 'connection refused or handshake failed'
  const [, uri = ''] = / source=(\S+) verdict=allow$/.exec(line) ?? []
  if (server === 'application') return { what: 'application', from, uri, why: state === 's' ? why : 'connection refused' }
  return server === '<NOSRV>' ? { what: 'no-instance', frontend, from } : { what: 'unreachable', frontend, from, why }
}

/** What ./lua.ts writes in place of a URI that is not there. */
export const NOBODY = '-'

/** Whether a line is only for this program: what it says is printed by whoever reads it. */
export function isMark(line: string): boolean {
  return /^(\[[a-z]+\] \S+ \(\d+\) : )?mesh-/.test(line)
}

/** OpenSSL's text: `error:0A0000C7:SSL routines::peer did not return a certificate`. */
function handshakeWhy(text: string): string {
  const reason = text.split(':').at(-1)?.trim() ?? ''
  return reason === '' || reason === NOBODY ? 'the TLS handshake failed' : (PLAIN_WORDS[reason] ?? reason)
}

/** As our own sidecars say it. */
const PLAIN_WORDS: Record<string, string> = {
  'http request': 'not a TLS handshake: this is plain HTTP',
  'wrong version number': 'not a TLS handshake',
  'peer did not return a certificate': 'no client certificate was shown',
}

export type Around = { plan: ProxyPlan; identity: Identity; intentions: IntentionsOn | undefined }

/** What the agent is told of it, with the rule that decided. */
export function toldOf(logged: Logged, around: Around): Told {
  const { service, upstreams } = around.plan
  const inbound = { side: 'inbound', source: '', destination: service, uri: '', serial: '', from: '' } as const
  const outbound = { side: 'outbound', source: service, uri: '', serial: '', from: '' } as const
  const upstreamOf = (frontend: string) => upstreams[Number(/^upstream_(\d+)$/.exec(frontend)?.[1] ?? 0) - 1]?.service ?? frontend
  switch (logged.what) {
    case 'denied':
      return { ...inbound, from: logged.from, uri: logged.uri, serial: logged.serial, ...judged(logged.uri, around) }
    case 'closed':
      return { ...inbound, from: logged.from, ...ruled(logged.service, around) }
    case 'handshake':
      return { ...inbound, from: logged.from, kind: 'handshake', cause: logged.why }
    case 'application':
      return { ...inbound, source: nameIn(logged.uri), from: logged.from, uri: logged.uri, kind: 'application', cause: logged.why }
    case 'no-instance':
      return {
        ...outbound,
        destination: upstreamOf(logged.frontend),
        from: logged.from,
        kind: 'no-instance',
        cause: 'it has no healthy instance',
      }
    case 'unreachable':
      return {
        ...outbound,
        destination: upstreamOf(logged.frontend),
        from: logged.from,
        kind: 'unreachable',
        cause: `none of its instances took the connection, last: ${logged.why}`,
      }
    case 'stranger': {
      const destination = nameIn(logged.expected)
      const shown = logged.shown === NOBODY ? 'nobody of the mesh' : logged.shown
      return { ...outbound, destination, kind: 'unreachable', cause: `the certificate is for ${shown}, expected ${logged.expected}` }
    }
  }
}

/** '' if it is not the identity of a service. */
function nameIn(uri: string): string {
  const identity = parseIdentity(uri)
  return isRefused(identity) || identity.kind !== 'service' ? '' : identity.service
}

/** Why somebody with this identity was refused. */
function judged(uri: string, around: Around): Pick<Told, 'source' | 'kind' | 'cause'> {
  const identity = parseIdentity(uri)
  const { trustDomain } = around.identity
  if (uri === '') return { source: '', kind: 'identity', cause: 'the certificate does not name exactly one service of the mesh' }
  if (isRefused(identity)) return { source: '', kind: 'identity', cause: identity.why }
  if (identity.kind !== 'service') return { source: '', kind: 'identity', cause: `${uri} is not the identity of a service` }
  if (identity.trustDomain.toLowerCase() !== trustDomain)
    return { source: identity.service, kind: 'identity', cause: `${uri} is of another trust domain, ours is ${trustDomain}` }
  return ruled(identity.service, around)
}

function ruled(source: string, { plan, intentions }: Around): Pick<Told, 'source' | 'kind' | 'cause'> {
  if (!intentions) return { source, kind: 'not-ready', cause: 'the intentions are not known yet' }
  const { rule, reason, allowed } = decide(intentions.list, source, plan.service, intentions.defaultAllow)
  if (allowed) return { source, kind: 'intention', cause: 'an intention that has changed since' }
  return rule ? { source, kind: 'intention', cause: ruleText(rule) } : { source, kind: 'default', cause: reason }
}
