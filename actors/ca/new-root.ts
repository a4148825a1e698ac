import type { PreparedAuthority } from '../../src/kernel/ports.ts'
import type { CaSetConfig, NewRoot } from './commands.ts'

/** A prepared root as it is kept. `crossPem`: what leads from it to an older root. */
export function newRoot(prepared: PreparedAuthority, crossPem: string[]): NewRoot {
  const { rootId, name, commonName, serial, notBeforeMs, notAfterMs, keyType, keyBits } = prepared
  return {
    id: rootId,
    name,
    commonName,
    serial,
    notBeforeMs,
    notAfterMs,
    certPem: prepared.rootPem,
    ...signerOf(prepared, crossPem),
    keyType,
    keyBits,
  }
}

/** What signs for a root, until when, and what is sent along. */
export function signerOf(prepared: PreparedAuthority, crossPem: string[]): CaSetConfig['signer'] {
  const { signingKeyId, intermediatesPem, notAfterMs, signsUntilMs = notAfterMs } = prepared
  return { signingKeyId, intermediatesPem: [...crossPem, ...intermediatesPem], signsUntilMs }
}
