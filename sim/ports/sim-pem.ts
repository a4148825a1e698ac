import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** Facts as a PEM block: base64 of JSON whose keys are in order, so that equal facts give equal text. */
export function simPem(label: string, facts: object): string {
  const base64 = Buffer.from(canonical(facts), 'utf8').toString('base64')
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
}

/** The facts of the first PEM block, which must have this label and a valid seal. `what` names the input in the refusal. */
export function readSimPem(pem: string, label: string, what: string): Result<Record<string, unknown>> {
  const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----([^-]*)-----END \1-----/.exec(pem)
  if (!block) return refuse('invalid', `${what}: no PEM-encoded data found`)
  if (block[1] !== label) return refuse('invalid', `${what}: first PEM block should be ${label}, found ${JSON.stringify(block[1])}`)
  const facts = parsedObject(Buffer.from(block[2] ?? '', 'base64').toString('utf8'))
  if (!facts) return refuse('invalid', `${what}: not made by the simulated signer`)
  const { seal, ...sealed } = facts
  return seal === sealOf(sealed) ? sealed : refuse('invalid', `${what}: the signature does not hold`)
}

/** The facts with a seal, which stands for a signature: changed facts are noticed. */
export function withSeal<Facts extends object>(facts: Facts): Facts & { seal: string } {
  return { ...facts, seal: sealOf(facts) }
}

/**
 * Bytes that depend on the whole text; no secret is safe behind them. Sources of the mixing: FNV-1a for the text, the finalizer
 * of MurmurHash3 for the bytes.
 */
export function simDigest(text: string, bytes: number): number[] {
  let low = 0x811c9dc5
  let high = 0x9e3779b1
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    low = Math.imul(low ^ unit, 0x01000193)
    high = Math.imul(high ^ unit ^ (low >>> 15), 0x01000193)
  }
  return Array.from({ length: bytes }, (_, position) => {
    let mixed = (position % 2 === 0 ? low : high) ^ Math.imul(position, 0x9e3779b1)
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return mixed >>> 24
  })
}

const SEAL_BYTES = 16

function sealOf(facts: object): string {
  return simDigest(canonical(facts), SEAL_BYTES).join('.')
}

function canonical(facts: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(facts).sort(([one], [other]) => (one < other ? -1 : 1))))
}

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    // JSON.parse throws for malformed text only, which the caller turns into its refusal.
    return undefined
  }
}
