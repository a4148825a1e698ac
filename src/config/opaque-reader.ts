import { isObject } from '../kernel/plain.ts'
import { isRefused } from '../kernel/refusal.ts'
import { parseDuration } from './durations.ts'

/** Reads known keys of an object that may hold anything. What has another type is added to `misfits`, with its path. */
export class OpaqueReader {
  readonly #opaque: Record<string, unknown>
  readonly #path: string
  readonly #misfits: string[]

  constructor(opaque: Record<string, unknown>, path: string, misfits: string[]) {
    this.#opaque = opaque
    this.#path = path
    this.#misfits = misfits
  }

  has(key: string): boolean {
    return this.#opaque[key] !== undefined && this.#opaque[key] !== null
  }

  text(key: string): string | undefined {
    const value = this.#opaque[key]
    return value === undefined || value === null || typeof value === 'string' ? (value ?? undefined) : this.misfit(key, 'must be a text')
  }

  boolean(key: string): boolean | undefined {
    const value = this.#opaque[key]
    if (value === 'true' || value === 'false') return value === 'true'
    if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined
    return this.misfit(key, 'must be true or false')
  }

  /** From `min` to `max`. Numbers may be written as texts. */
  whole(key: string, max = Number.MAX_SAFE_INTEGER, min = 0): number | undefined {
    const value = this.#opaque[key]
    if (value === undefined || value === null) return undefined
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    if (typeof number === 'number' && Number.isSafeInteger(number) && number >= min && number <= max) return number
    const from = min === 0 ? '' : ` from ${min}`
    return this.misfit(
      key,
      max === Number.MAX_SAFE_INTEGER ? `must be a whole number${from}` : `must be a whole number${from} up to ${max}`,
    )
  }

  /** In milliseconds: a text like `10s`, or nanoseconds. */
  durationMs(key: string): number | undefined {
    const value = this.#opaque[key]
    if (value === undefined || value === null) return undefined
    const ms = typeof value === 'string' ? parseDuration(value) : typeof value === 'number' ? value / 1e6 : Number.NaN
    if (!isRefused(ms) && ms > 0) return ms
    return this.misfit(key, 'must be a duration above 0, such as "10s"')
  }

  /** An object; a list with one alone is that one. */
  object(key: string): Record<string, unknown> | undefined {
    const value = this.#opaque[key]
    const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value
    if (one === undefined || one === null) return undefined
    return isObject(one) ? one : this.misfit(key, 'must be an object')
  }

  /** A list of objects; one object alone is a list of one. */
  objects(key: string): Record<string, unknown>[] {
    const value = this.#opaque[key] ?? []
    const list: unknown[] = Array.isArray(value) ? value : [value]
    const objects = list.filter(isObject)
    if (objects.length < list.length) this.misfit(key, 'must be a list of objects')
    return objects
  }

  misfit(key: string, why: string): undefined {
    this.#misfits.push(`${this.#path}.${key} ${why}`)
    return undefined
  }
}
