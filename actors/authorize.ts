import type { Refusal } from '../src/kernel/refusal.ts'
import type { View } from '../src/kernel/tables.ts'

/** The secret that came with a request; '' is the anonymous one. */
export type Token = string

/** What a request needs: a resource as Consul's rules name it, its name (or the prefix of all names) and the access. */
export type Need = {
  resource:
    | 'acl'
    | 'agent'
    | 'event'
    | 'key'
    | 'key_prefix'
    | 'keyring'
    | 'node'
    | 'operator'
    | 'query'
    | 'service'
    | 'session'
    | 'intentions'
  name: string
  access: 'read' | 'list' | 'write'
}

/**
 * The one place where access is decided. Every request carries a token and passes here. Access control lists are off, as they
 * are in Consul unless configured, so everything is allowed.
 */
export function authorize(_view: View, _token: Token, _need: Need): Refusal | undefined {
  return undefined
}
