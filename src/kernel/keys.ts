/**
 * Keys of tables: well-formed strings, ordered by their UTF-8 bytes. JavaScript's `<` orders by UTF-16 units, which differs
 * above U+D7FF: a surrogate pair sorts before U+E000 there, and after U+FFFF in UTF-8.
 */

/** The longest key a table takes, in UTF-8 bytes. Edges refuse longer ones; `put` throws. */
export const KEY_BYTES_MAX = 1_976

/** Orders two keys by their UTF-8 bytes: negative, zero or positive. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** A key's length in UTF-8 bytes. */
export function keyBytes(key: string): number {
  let bytes = key.length
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at)
    // A surrogate is half of a character of four bytes: two each.
    if (unit > 0x7f) bytes += unit <= 0x7ff || isSurrogate(unit) ? 1 : 2
  }
  return bytes
}

/** Why a table cannot take the key, or nothing. */
export function keyFault(key: string): string | undefined {
  if (!key.isWellFormed()) return 'a key must be well-formed Unicode, without lone surrogates'
  if (key.length * 3 <= KEY_BYTES_MAX) return undefined
  const bytes = keyBytes(key)
  return bytes > KEY_BYTES_MAX ? `a key may have at most ${KEY_BYTES_MAX} bytes, this one has ${bytes}` : undefined
}

function rank(unit: number): number {
  return isSurrogate(unit) ? unit + 0x1_0000 : unit
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}
