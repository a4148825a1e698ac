import type { PreparedAuthority } from '../../src/kernel/ports.ts'
import type { NewRoot } from './commands.ts'

/** A prepared root as it is kept. `crossPem`: what leads from it to an older root. */
export function newRoot(prepared: PreparedAuthority, crossPem: string[]): NewRoot {
  const { rootId, name, commonName, serial, signingKeyId, notBeforeMs, notAfterMs, keyType, keyBits } = prepared
  return {
    id: rootId,
    name,
    commonName,
    serial,
    signingKeyId,
    notBeforeMs,
    notAfterMs,
    certPem: prepared.rootPem,
    intermediatesPem: [...crossPem, ...prepared.intermediatesPem],
    keyType,
    keyBits,
  }
}
