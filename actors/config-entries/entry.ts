import type { IntentionSource } from '../intentions/tables.ts'
import type { DefaultsContent, DefaultsKind } from './tables.ts'

/** A central setting as somebody writes it. Its kind says where it is kept. */
export type ConfigEntry =
  | { kind: DefaultsKind; name: string; content: DefaultsContent }
  | { kind: 'service-intentions'; name: string; sources: IntentionSource[]; meta: Record<string, string> }

export type ConfigKind = ConfigEntry['kind']

export const CONFIG_KINDS: readonly ConfigKind[] = ['proxy-defaults', 'service-defaults', 'service-intentions']

/** Kinds that exist in Consul and say how layer 7 and gateways behave, which this version does not have. */
export const OTHER_KINDS: readonly string[] = [
  'ingress-gateway',
  'mesh',
  'service-resolver',
  'service-router',
  'service-splitter',
  'terminating-gateway',
]

export function isConfigKind(kind: string): kind is ConfigKind {
  return (CONFIG_KINDS as readonly string[]).includes(kind)
}

export function isDefaultsKind(kind: string): kind is DefaultsKind {
  return kind === 'service-defaults' || kind === 'proxy-defaults'
}
