import { isRefused, type Result } from '../kernel/refusal.ts'
import { parseJson } from './http.ts'

/** One entry of the key/value store. */
export type KvPair = {
  key: string
  value: Buffer
  /** A decimal number of up to 64 bits, which is more than a JavaScript number holds exactly. */
  flags: string
  /** '' if nobody holds it. */
  session: string
  createIndex: number
  modifyIndex: number
  lockIndex: number
}

/** Reads the answer of `GET /v1/kv/…`, with or without `recurse`. */
export function parsePairs(body: Buffer, source: string): Result<{ value: KvPair[] }> {
  const parsed = parseJson<WirePair[]>(exactFlags(body.toString('utf8'), 'Flags'), source)
  if (isRefused(parsed)) return parsed
  return {
    value: parsed.value.map((pair) => ({
      key: pair.Key,
      value: Buffer.from(pair.Value ?? '', 'base64'),
      flags: pair.Flags,
      session: pair.Session ?? '',
      createIndex: pair.CreateIndex,
      modifyIndex: pair.ModifyIndex,
      lockIndex: pair.LockIndex,
    })),
  }
}

/**
 * Puts the number of every field of this name, in any letter case, in quotes. A quote inside a JSON string has a backslash before it, so the name
 * between two quotes and a colon can only be a field.
 */
export function exactFlags(json: string, field: string): string {
  return json.replace(new RegExp(`"(${field})"\\s*:\\s*(\\d+)`, 'gi'), '"$1":"$2"')
}

/** The reference forgives one slash at the beginning of a key where it is looked up. */
export function withoutLeadingSlash(key: string): string {
  return key.startsWith('/') ? key.slice(1) : key
}

type WirePair = {
  Key: string
  Value: string | null
  Flags: string
  Session?: string
  CreateIndex: number
  ModifyIndex: number
  LockIndex: number
}
