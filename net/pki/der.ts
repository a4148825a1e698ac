import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** One tag-length-value of DER. `whole` has all its bytes, `content` those after tag and length; both share the input's memory. */
export type Element = { tag: number; whole: Buffer; content: Buffer }

/** Tags with their class and constructed bits, as they stand in the first byte. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context1: 0xa1,
  context2: 0xa2,
  context3: 0xa3,
} as const

/** The elements that follow each other in `bytes`, which they must fill. Refuses what DER forbids: lengths that are indefinite or
 * longer than needed. `what` names the structure in the refusal. Source: ITU-T X.690. */
export function elementsOf(bytes: Buffer, what: string): Result<Element[]> {
  const elements: Element[] = []
  let at = 0
  while (at < bytes.length) {
    const element = elementAt(bytes, at, what)
    if (isRefused(element)) return element
    elements.push(element)
    at += element.whole.length
  }
  return elements
}

/** The one element that `bytes` consist of, which must have this tag. */
export function only(bytes: Buffer, tag: number, what: string): Result<Element> {
  const elements = elementsOf(bytes, what)
  if (isRefused(elements)) return elements
  const [element] = elements
  if (element === undefined || element.tag !== tag) return refuse('invalid', `${what}: expected ${tagName(tag)}, found ${found(element)}`)
  return elements.length === 1 ? element : refuse('invalid', `${what}: ${bytes.length - element.whole.length} bytes after its end`)
}

/** The children of a constructed element, whose first tags must be `tags`; more may follow. */
export function childrenOf<const Tags extends readonly number[]>(
  element: Element,
  tags: Tags,
  what: string,
): Result<[...{ [Index in keyof Tags]: Element }, ...Element[]]> {
  const children = elementsOf(element.content, what)
  if (isRefused(children)) return children
  for (const [index, tag] of tags.entries()) {
    const child = children[index]
    if (child?.tag !== tag) return refuse('invalid', `${what}: expected ${tagName(tag)} as part ${index + 1}, found ${found(child)}`)
  }
  return children as [...{ [Index in keyof Tags]: Element }, ...Element[]]
}

/** An object identifier in dotted form. */
export function oidText(element: Element, what: string): Result<string> {
  const { content } = element
  if (content.length === 0 || content.length > OID_BYTES_MAX)
    return refuse('invalid', `${what}: an object identifier of ${content.length} bytes`)
  const arcs: number[] = []
  let arc = 0
  let fresh = true
  for (const byte of content) {
    if (fresh && byte === 0x80) return refuse('invalid', `${what}: an object identifier that is not minimal`)
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) return refuse('invalid', `${what}: an object identifier with a part that is too large`)
    fresh = byte < 0x80
    if (fresh) {
      arcs.push(arc)
      arc = 0
    }
  }
  if (!fresh) return refuse('invalid', `${what}: an object identifier that is cut off`)
  const [first = 0, ...rest] = arcs
  const root = Math.min(Math.floor(first / 40), 2)
  return [root, first - root * 40, ...rest].join('.')
}

/** The bytes of a BIT STRING whose length is a whole number of bytes. */
export function bitStringBytes(element: Element, what: string): Result<Buffer> {
  if (element.content[0] !== 0) return refuse('invalid', `${what}: a bit string that is not whole bytes`)
  return element.content.subarray(1)
}

/** The magnitude of a positive INTEGER, without leading zeros. */
export function positiveBytes(element: Element, what: string): Result<Buffer> {
  const { content } = element
  const [first, second] = content
  if (first === undefined) return refuse('invalid', `${what}: an integer without bytes`)
  if (first >= 0x80) return refuse('invalid', `${what}: must not be negative`)
  if (first === 0 && second === undefined) return refuse('invalid', `${what}: must not be zero`)
  if (first !== 0) return content
  return second !== undefined && second >= 0x80 ? content.subarray(1) : refuse('invalid', `${what}: an integer that is not minimal`)
}

export function isNull(element: Element | undefined): boolean {
  return element?.tag === TAG.null && element.content.length === 0
}

/** A UTCTime or GeneralizedTime in the forms RFC 5280 allows, in ms since 1970. */
export function timeMs(element: Element, what: string): Result<number> {
  const text = element.content.toString('latin1')
  const short = element.tag === TAG.utcTime
  if (!short && element.tag !== TAG.generalizedTime) return refuse('invalid', `${what}: expected a time, found ${tagName(element.tag)}`)
  const digits = (short ? /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/ : /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/).exec(text)
  if (!digits) return refuse('invalid', `${what}: ${JSON.stringify(text)} is not a time`)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = digits.slice(1).map(Number)
  const date = new Date(0)
  date.setUTCFullYear(short ? year + (year < 50 ? 2000 : 1900) : year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  return isReal ? date.getTime() : refuse('invalid', `${what}: ${JSON.stringify(text)} is not a time`)
}

const OID_BYTES_MAX = 64

function elementAt(bytes: Buffer, at: number, what: string): Result<Element> {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined) return refuse('invalid', `${what}: cut off after ${bytes.length} bytes`)
  if ((tag & 0x1f) === 0x1f) return refuse('invalid', `${what}: a tag of several bytes`)
  let start = at + 2
  let length = first
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f
    if (lengthBytes === 0) return refuse('invalid', `${what}: an indefinite length`)
    if (lengthBytes > 4) return refuse('invalid', `${what}: a length of ${lengthBytes} bytes`)
    if (start + lengthBytes > bytes.length) return refuse('invalid', `${what}: cut off after ${bytes.length} bytes`)
    length = bytes.readUIntBE(start, lengthBytes)
    start += lengthBytes
    if (length < 0x80 || length < 2 ** (8 * (lengthBytes - 1))) return refuse('invalid', `${what}: a length that is not minimal`)
  }
  const end = start + length
  if (end > bytes.length) return refuse('invalid', `${what}: needs ${end - at} bytes, has ${bytes.length - at}`)
  return { tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) }
}

function found(element: Element | undefined): string {
  return element === undefined ? 'its end' : tagName(element.tag)
}

function tagName(tag: number): string {
  const name = Object.entries(TAG).find(([, known]) => known === tag)?.[0]
  return name ?? `tag 0x${tag.toString(16).padStart(2, '0')}`
}
