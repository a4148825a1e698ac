import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { childrenOf, type Element, elementsOf, TAG } from './der.ts'
import { oid, type Part, sequence, set, text } from './encode.ts'

/** A distinguished name with only a common name. */
export function nameOf(commonName: string): Part {
  return sequence([set([sequence([oid(COMMON_NAME), text(commonName)])])])
}

/** The first common name of a distinguished name; '' if there is none. */
export function readCommonName(name: Element, what: string): Result<string> {
  const sets = elementsOf(name.content, what)
  if (isRefused(sets)) return sets
  for (const relative of sets) {
    if (relative.tag !== TAG.set) return refuse('invalid', `${what}: a part that is not a set`)
    const attributes = elementsOf(relative.content, what)
    if (isRefused(attributes)) return attributes
    for (const attribute of attributes) {
      const parts = childrenOf(attribute, [TAG.oid], what)
      if (isRefused(parts)) return parts
      const value = parts[1]
      if (value === undefined || parts.length !== 2) return refuse('invalid', `${what}: an attribute that is not a pair`)
      if (parts[0].content.equals(COMMON_NAME_BYTES)) return textOf(value)
    }
  }
  return ''
}

const COMMON_NAME = '2.5.4.3'
const COMMON_NAME_BYTES = Buffer.of(0x55, 0x04, 0x03)

function textOf({ tag, content }: Element): string {
  if (tag === TAG.bmpString && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le')
  return content.toString('utf8')
}
