import type { Turn } from '../../src/kernel/actor.ts'
import { decisionsRef, type RefusedKind, type RefusedSide } from '../decisions/protocol.ts'
import type { Decision } from '../intentions/decide.ts'
import type { ProxyOwn, ProxyState } from './state.ts'

type Told = {
  side: RefusedSide
  kind: RefusedKind
  cause: string
  /** A service's name; '' if it is not known. */
  source?: string
  /** The proxy's own service if not given. */
  destination?: string
  uri?: string
  serial?: string
  from?: string
}

/** Leaves a record of a refused connection, where there is somebody who keeps them. */
export function tellRefused({ args }: ProxyState, turn: Turn<ProxyOwn>, told: Told): void {
  if (!args.recorded) return
  const unknown = { source: '', destination: args.service, uri: '', serial: '', from: '' }
  turn.cast(decisionsRef, 'refused', { ...unknown, ...told, atMs: turn.nowMs })
}

/** What kind of refusal a decision is. */
export function kindOf({ bundle, intentions }: ProxyState, trustDomain: string, { rule }: Decision): RefusedKind {
  if (rule) return 'intention'
  if (!bundle || !intentions) return 'not-ready'
  return trustDomain.toLowerCase() === bundle.trustDomain ? 'default' : 'identity'
}
