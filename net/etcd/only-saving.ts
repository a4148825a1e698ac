import type { Devices } from '../../src/kernel/ports.ts'
import { isRefused, refuse } from '../../src/kernel/refusal.ts'

/** Restoring a snapshot fills tables beside the log, which the other servers would know nothing of. */
export function onlySaving(snapshots: Devices['snapshots']): Devices['snapshots'] {
  return {
    perform(request, done, event) {
      if (request.do !== 'load') return snapshots.perform(request, done, event)
      snapshots.perform({ do: 'remove', path: request.path }, (removed) => done(isRefused(removed) ? removed : NO_RESTORE), event)
    },
  }
}

const NO_RESTORE = refuse(
  'conflict',
  'a snapshot cannot be restored while servers share their log: restore it to a server with log = "local"',
)
