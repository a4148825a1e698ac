import { authorize } from '../../../actors/authorize.ts'
import { snapshotsRef } from '../../../actors/snapshots/index.ts'
import type { SnapshotOutcome, SnapshotRequest } from '../../kernel/ports.ts'
import { assert, isRefused, type Result } from '../../kernel/refusal.ts'
import { question, type Route } from '../route.ts'

/** A large snapshot takes its time. */
const RESTORE_WITHIN_MS = 3_600_000

/** GET /v1/snapshot */
export const snapshotSaveRoute: Route = {
  method: 'GET',
  path: '/v1/snapshot',
  statusOf: { busy: 500 },
  async run({ token }, { host, onGone }) {
    const denied = authorize(host.ports.tables.view(), token, { resource: 'operator', name: '', access: 'write' })
    if (denied) return denied
    const { snapshots } = host.ports.devices
    assert(snapshots, 'every thread that answers requests can save snapshots')
    const perform = (request: SnapshotRequest) =>
      new Promise<Result<SnapshotOutcome>>((resolve) => snapshots.perform(request, resolve, () => undefined))
    let isGone = false
    onGone(() => {
      isGone = true
    })
    const saved = await perform({ do: 'save' })
    if (isRefused(saved)) return saved
    if (isGone) {
      const removed = await perform({ do: 'remove', path: saved.path })
      return isRefused(removed) ? removed : {}
    }
    const headers = { 'X-Consul-Index': String(saved.index), 'X-Consul-Knownleader': 'true', 'X-Consul-Lastcontact': '0' }
    return { file: saved.path, type: 'application/x-gzip', headers }
  },
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
