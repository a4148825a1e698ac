import { type Result, refuse } from '../../src/kernel/refusal.ts'

/** Larger inputs are refused before anything looks at them. */
export const PEM_LENGTH_MAX = 65_536

/** DER bytes as a PEM block: lines of 64 characters, each with its end of line. */
export function pemOf(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  let lines = ''
  for (let at = 0; at < base64.length; at += LINE_LENGTH) lines += `${base64.slice(at, at + LINE_LENGTH)}\n`
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`
}

/** The bytes of the first PEM block, whose label must be among `labels`. `what` names the input in the refusal. */
export function derOfPem(pem: string, labels: readonly string[], what: string): Result<Buffer> {
  if (pem.length > PEM_LENGTH_MAX) return refuse('invalid', `${what}: longer than ${PEM_LENGTH_MAX} characters`)
  const begin = BEGIN.exec(pem)
  if (!begin) return refuse('invalid', `${what}: no PEM-encoded data found`)
  const label = begin[1] ?? ''
  if (!labels.includes(label)) return refuse('invalid', `${what}: first PEM block should be ${labels[0]}, found ${JSON.stringify(label)}`)
  const start = begin.index + begin[0].length
  const end = pem.indexOf(`-----END ${label}-----`, start)
  if (end === -1) return refuse('invalid', `${what}: the PEM block ${JSON.stringify(label)} has no end`)
  const base64 = pem.slice(start, end).replace(/[\r\n\t ]+/g, '')
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) return refuse('invalid', `${what}: the PEM block is not base64`)
  return Buffer.from(base64, 'base64')
}

const LINE_LENGTH = 64
const BEGIN = /-----BEGIN ([A-Z0-9 ]{1,64})-----/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/
