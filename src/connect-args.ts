import { caRef } from '../actors/ca/protocol.ts'
import type { CaArgs } from '../actors/ca/state.ts'
import { feedsRef } from '../actors/feeds/protocol.ts'
import type { LeafArgs } from '../actors/leaf/index.ts'
import type { Config } from './config/config.ts'

/** What the certificate authority is founded with, if this cluster has none yet. */
export function caArgs({ connect, datacenter }: Config): CaArgs {
  const { ca } = connect
  return {
    enabled: connect.enabled,
    datacenter,
    settings: {
      leafCertTtlMs: ca.leafCertTtlMs,
      csrMaxPerSecond: ca.csrMaxPerSecond,
      csrMaxConcurrent: ca.csrMaxConcurrent,
      shown: { IntermediateCertTTL: '8760h', LeafCertTTL: '72h', ...ca.opaque, ...(ca.privateKey !== '' && { PrivateKey: HIDDEN }) },
    },
    privateKeyPem: ca.privateKey,
    rootCertPem: ca.rootCert,
    keyType: ca.privateKeyType,
    keyBits: ca.privateKeyBits,
  }
}

export function leafArgs({ connect, datacenter }: Config): LeafArgs {
  return { enabled: connect.enabled, datacenter, ca: caRef, feeds: feedsRef }
}

/** What holds where no intention matches. */
export function defaultIntention({ acl }: Config): { defaultAllow: boolean } {
  return { defaultAllow: acl.defaultPolicy === 'allow' }
}

/** Shown instead of a private key. */
const HIDDEN = 'hidden'
