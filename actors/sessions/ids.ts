import { type Result, refuse } from '../../src/kernel/refusal.ts'

const LENGTH = 36
const HYPHENS_MAX = 4
const FAILED = 'failed session lookup: index error:'

/** A session's id as it is stored, whatever its letter case and wherever its hyphens are. */
export function sessionId(text: string): Result<string> {
  if (text.length !== LENGTH) return refuse('conflict', `${FAILED} UUID must be ${LENGTH} characters`)
  const hyphens = text.split('-').length - 1
  if (hyphens > HYPHENS_MAX) return refuse('conflict', `${FAILED} UUID should have maximum of ${HYPHENS_MAX} "-"; got ${hyphens}`)
  const digits = text.replaceAll('-', '')
  if (digits.length % 2 !== 0) return refuse('conflict', `${FAILED} UUID (without hyphens) must be even length`)
  const odd = /[^0-9a-f]/iu.exec(digits)?.[0]
  if (odd !== undefined) return refuse('conflict', `${FAILED} invalid UUID: encoding/hex: invalid byte: ${unicodeName(odd)}`)
  return digits.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.+)$/, '$1-$2-$3-$4-$5')
}

function unicodeName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')} '${character}'`
}
