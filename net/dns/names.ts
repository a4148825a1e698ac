/**
 * Domain names as text (RFC 1035 §5.1): labels end with dots, `\.` and `\\` are literal, `\DDD` is any other byte in decimal.
 * A fully qualified name ends with a dot; the root is `.`.
 */

const LABEL_BYTES_MAX = 63
const NAME_BYTES_MAX = 255
const DOT = 46
const BACKSLASH = 92

/** The labels of a name from left to right, escapes kept. */
export function labelsOf(name: string): string[] {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  if (bare === '') return []
  if (!bare.includes('\\')) return bare.split('.')
  const labels: string[] = []
  let from = 0
  for (let at = nextDot(name, 0); at !== -1; at = nextDot(name, from)) {
    labels.push(name.slice(from, at))
    from = at + 1
  }
  if (from < name.length) labels.push(name.slice(from))
  return labels
}

/** Where the label that begins at `from` ends: the position of its dot, or -1. */
export function nextDot(name: string, from: number): number {
  for (let at = from; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code === BACKSLASH) at += isDecimalEscape(name, at) ? 3 : 1
    else if (code === DOT) return at
  }
  return -1
}

export function isDecimalEscape(name: string, at: number): boolean {
  return isDigit(name.charCodeAt(at + 1)) && isDigit(name.charCodeAt(at + 2)) && isDigit(name.charCodeAt(at + 3))
}

export function fullyQualified(name: string): string {
  return name.endsWith('.') ? name : `${name}.`
}

/** One label of a message as text. */
export function labelText(packet: Buffer, from: number, to: number): string {
  for (let at = from; at < to; at++) {
    const byte = packet[at]!
    if (byte <= 32 || byte >= 127 || byte === DOT || byte === BACKSLASH) return escapedLabel(packet, from, to)
  }
  return packet.toString('latin1', from, to)
}

/** Whether a fully qualified name fits the limits of the wire format: no empty label, at most 63 bytes a label, 255 in all. */
export function isEncodable(name: string): boolean {
  return nameBytes(name) !== undefined
}

/** Bytes of a fully qualified name without compression, at most; undefined if it cannot be encoded. */
export function nameBytes(name: string): number | undefined {
  if (name === '.') return 1
  let total = 1
  let label = 0
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code === DOT) {
      if (label === 0 || label > LABEL_BYTES_MAX) return undefined
      total += label + 1
      label = 0
    } else if (code === BACKSLASH) {
      at += isDecimalEscape(name, at) ? 3 : 1
      label += 1
    } else label += utf8Bytes(code)
  }
  return label === 0 && total > 1 && total <= NAME_BYTES_MAX ? total : undefined
}

function utf8Bytes(code: number): number {
  if (code < 0x80) return 1
  return code < 0x800 ? 2 : 3
}

function escapedLabel(packet: Buffer, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at++) {
    const byte = packet[at]!
    if (byte === DOT || byte === BACKSLASH) text += `\\${String.fromCharCode(byte)}`
    else if (byte <= 32 || byte >= 127) text += `\\${String(byte).padStart(3, '0')}`
    else text += String.fromCharCode(byte)
  }
  return text
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}
