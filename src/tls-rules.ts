import { constants } from 'node:crypto'

/** ECDHE with an AEAD only. AES-128 comes first because it is the fastest on machines with AES instructions. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  // No keys below 112 bits of strength (RSA 2048, curves of 224 bits) and no signatures with SHA-1, however the library was built.
  '@SECLEVEL=2',
].join(':')

/** Named, because the library's own list begins with a post-quantum hybrid that costs a fifth of the handshakes per second. The last
 * one is for leaves with such keys: TLS 1.2 takes none on other curves. */
const CURVES = 'X25519:prime256v1:secp384r1:secp521r1'

/** What every TLS connection of the mesh keeps to, whoever it is with: options of a secure context. */
export const TLS_RULES = {
  minVersion: 'TLSv1.2',
  ciphers: CIPHERS,
  ecdhCurve: CURVES,
  honorCipherOrder: true,
  // Who the peer is has been judged by its first handshake, so there is no second one.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const
