/**
 * The text with everything that could move, colour or reorder what a terminal or a log shows written as escapes, as in JSON: control
 * characters, separators of lines, and marks that turn the direction of writing. Line ends and tabs stay if `keepsLines`.
 */
export function printable(text: string, keepsLines = false): string {
  const pattern = keepsLines ? UNSAFE_IN_LINES : UNSAFE
  return text.search(pattern) < 0 ? text : text.replaceAll(pattern, escapeOf)
}

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
const UNSAFE_IN_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escapeOf(character: string): string {
  const json = JSON.stringify(character).slice(1, -1)
  return json.length > 1 ? json : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
