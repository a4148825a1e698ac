import { authorize } from '../../../actors/authorize.ts'
import { snapshotsRef } from '../../../actors/snapshots/index.ts'
import type { SnapshotOutcome, SnapshotRequest } from '../../kernel/ports.ts'
import { assert, isRefused, type Result } from '../../kernel/refusal.ts'
import { catchUp } from '../catch-up.ts'
import { type HttpReply, question, type Route } from '../route.ts'

/** A large snapshot takes its time. */
const RESTORE_WITHIN_MS = 3_600_000

/** GET /v1/snapshot: of everything that any server had answered before; with `stale`, of what this one knows. */
export const snapshotSaveRoute: Route = {
  method: 'GET',
  path: '/v1/snapshot',
  statusOf: { busy: 500 },
  begin({ query, token }, { host, onGone }, done) {
    const denied = authorize(host.ports.tables.view(), token, { resource: 'operator', name: '', access: 'write' })
    if (denied) return done(denied)
    const { snapshots } = host.ports.devices
    assert(snapshots, 'every thread that answers requests can save snapshots')
    let isGone = false
    onGone(() => {
      isGone = true
    })
    const perform = (request: SnapshotRequest, then: (result: Result<SnapshotOutcome>) => void) =>
      snapshots.perform(request, then, () => undefined)
    const save = () =>
      perform({ do: 'save' }, (saved) => {
        if (isRefused(saved)) done(saved)
        else if (isGone) perform({ do: 'remove', path: saved.path }, (removed) => done(isRefused(removed) ? removed : {}))
        else done(savedReply(saved))
      })
    if (query.has('stale')) return save()
    catchUp(host, (caughtUp) => (isRefused(caughtUp) ? done(caughtUp) : save()))
  },
}

function savedReply({ path, index }: SnapshotOutcome): HttpReply {
  const headers = { 'X-Consul-Index': String(index), 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' }
  return { file: path, type: 'application/x-gzip', headers }
}

/** PUT /v1/snapshot */
export const snapshotRestoreRoute: Route = {
  method: 'PUT',
  path: '/v1/snapshot',
  statusOf: { invalid: 500, busy: 500 },
  bodyInFile: true,
  ask({ bodyFile, token }) {
    if (bodyFile === undefined) return { status: 500, text: 'snapshots can be restored only where there are files' }
    return question(snapshotsRef, 'restore', { path: bodyFile, token }, RESTORE_WITHIN_MS)
  },
  reply: () => ({}),
}
