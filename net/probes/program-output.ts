import type { HealthStatus } from '../../src/kernel/ports.ts'
import type { Tail } from './tail.ts'

/** 0 is passing, 1 warning, everything else critical. No code: it was ended by a signal. */
export function statusOfExit(code: number | null): HealthStatus {
  if (code === 0) return 'passing'
  return code === 1 ? 'warning' : 'critical'
}

/** What a program wrote; where that is more than `outputMax` bytes, the end of it and how much there was. */
export function outputText(tail: Tail, outputMax: number): string {
  if (tail.bytesTotal <= outputMax) return tail.text()
  return `Captured ${outputMax} of ${tail.bytesTotal} bytes\n...\n${tail.text()}`
}
