import { type RotationProgress, rotationProgress } from '../../../actors/ca/progress.ts'
import { type CaRoots, CONNECT_DISABLED, caConfig, caRoots } from '../../../actors/ca/queries.ts'
import type { CaRoot } from '../../../actors/ca/tables.ts'
import { leavesSignedBy } from '../../../actors/reports/queries.ts'
import type { View } from '../../kernel/tables.ts'
import { goTime } from '../go-time.ts'
import type { Route } from '../route.ts'

/** GET /v1/tribune/connect/ca/status: the provider, all trusted roots, and how far a change from one to another is. */
export const caStatusRoute: Route = {
  method: 'GET',
  path: '/v1/tribune/connect/ca/status',
  read(_request, view) {
    const found = caRoots(view)
    const config = caConfig(view)
    if (!found || !config) return { status: 500, text: CONNECT_DISABLED }
    const progress = rotationProgress(view)
    return {
      index: Math.max(found.index, config.index, progress?.index ?? 0),
      json: {
        Provider: config.config.provider,
        TrustDomain: found.trustDomain,
        ActiveRootID: found.activeRootId,
        Roots: found.roots.map((root) => shownRoot(root, progress, view)),
        Rotation: progress ? shownRotation(progress, found) : null,
      },
    }
  },
}

/** Names that are listed; the others are counted. */
const NAMES_MAX = 100

function shownRoot(root: CaRoot, progress: RotationProgress | undefined, view: View): object {
  const spreads = progress?.phase === 'spreading' && progress.rotation.toRootId === root.id
  return {
    ID: root.id,
    Name: root.name,
    State: root.active ? 'active' : spreads ? 'spreading' : 'retiring',
    PrivateKeyType: root.keyType,
    PrivateKeyBits: root.keyBits,
    NotAfter: goTime(root.notAfterMs),
    SignsUntil: goTime(Math.min(root.notAfterMs, root.signsUntilMs ?? root.notAfterMs)),
    // While no root changes nobody waits for who presents what.
    Presenting: progress ? leavesSignedBy(view, root.signingKeyId).reports.length : null,
    LeavesUntil: root.active || root.leavesUntilMs === undefined ? null : goTime(root.leavesUntilMs),
  }
}

function shownRotation(progress: RotationProgress, { roots }: CaRoots): object {
  const { rotation, phase, proxies, done, waitingFor, silent, notBeforeMs } = progress
  return {
    ID: rotation.id,
    FromRootID: rotation.fromRootId,
    ToRootID: rotation.toRootId,
    CanAbort: !rotation.aborts && roots.some(({ id }) => id === rotation.fromRootId),
    Aborts: rotation.aborts,
    Phase: phase,
    Started: goTime(rotation.startedMs),
    Proxies: proxies,
    Done: done,
    WaitingFor: waitingFor.slice(0, NAMES_MAX),
    WaitingForCount: waitingFor.length,
    NotReporting: silent,
    NotBefore: notBeforeMs > 0 ? goTime(notBeforeMs) : null,
    Says: sentence(progress),
  }
}

function sentence({ phase, proxies, done, waitingFor, notBeforeMs }: RotationProgress): string {
  const what = phase === 'spreading' ? 'trust the new root' : 'have the new bundle and a leaf of the new root'
  const [first, second, third] = waitingFor
  const names = [first, second, third].filter((name) => name !== undefined).join(', ')
  const more = waitingFor.length > 3 ? ` and ${waitingFor.length - 3} others` : ''
  const waiting = names === '' ? '' : `, waiting for ${names}${more}`
  const until =
    waiting === '' && notBeforeMs > 0
      ? `; ${phase === 'spreading' ? 'it signs' : 'the old root goes'} at ${goTime(notBeforeMs)} at the earliest`
      : ''
  return proxies === 0 ? `no proxy reports${until}` : `${done} of ${proxies} proxies ${what}${waiting}${until}`
}
