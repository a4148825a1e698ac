/** What a quoted literal says: as it stands in backquotes, with Go's escapes in double quotes; undefined if it is not one. */
export function unquoted(literal: string): string | undefined {
  const text = literal.slice(1, -1)
  if (literal.startsWith('`')) return text.replaceAll('\r', '')
  if (text.includes('\n')) return undefined
  if (!text.includes('\\')) return text
  const parts: Buffer[] = []
  for (let at = 0; at < text.length; ) {
    ESCAPE.lastIndex = at
    const [written, name, number] = ESCAPE.exec(text) ?? []
    if (written === undefined) return undefined
    const bytes = name !== undefined ? Buffer.from(NAMED[name] ?? '') : number !== undefined ? bytesOf(number) : Buffer.from(written)
    if (!bytes) return undefined
    parts.push(bytes)
    at += written.length
  }
  return Buffer.concat(parts).toString('utf8')
}

/** One escape, or text up to the next one. */
const ESCAPE = /\\(?:([abfnrtv\\"])|(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}))|[^\\]+/y
const NAMED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
}
const CODE_POINT_MAX = 0x10ffff

/** `x41` and `101` are bytes, `u0041` and `U00000041` characters. */
function bytesOf(number: string): Buffer | undefined {
  const isByte = number.startsWith('x') || /^\d/.test(number)
  const value = /^\d/.test(number) ? Number.parseInt(number, 8) : Number.parseInt(number.slice(1), 16)
  if (isByte) return value > 0xff ? undefined : Buffer.from([value])
  const isSurrogate = value >= 0xd800 && value <= 0xdfff
  return value > CODE_POINT_MAX || isSurrogate ? undefined : Buffer.from(String.fromCodePoint(value))
}
