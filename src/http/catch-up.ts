import { ledgerRef } from '../../actors/ledger.ts'
import type { Host } from '../kernel/host.ts'
import type { Result } from '../kernel/refusal.ts'

/** How long whoever asks waits until this server has what the others have. */
const CATCH_UP_WITHIN_MS = 10_000

/** Calls `done` once everything is visible here that any server had answered before. */
export function catchUp(host: Host, done: (result: Result<null>) => void): void {
  host.ask(ledgerRef, 'catchUp', null, CATCH_UP_WITHIN_MS, done)
}
