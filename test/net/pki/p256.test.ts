import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { encodeP256 } from '../../../net/pki/p256.ts'

const KEYS = 300

test('keys on P-256 are encoded byte for byte as OpenSSL does, numbers that begin with zeros too', (t) => {
  for (let made = 0; made < KEYS; made++) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    const { spki, pem } = encodeP256(privateKey)
    t.deepEqual(spki, publicKey.export({ type: 'spki', format: 'der' }))
    t.is(pem, privateKey.export({ type: 'sec1', format: 'pem' }).toString())
  }
})

test('a key on another curve is a broken promise', (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
  t.throws(() => encodeP256(privateKey), { message: /32 bytes/ })
})
