import test from 'ava'
import fc from 'fast-check'
import { isCaProvider, readCaConfig } from '../../src/config/ca-config.ts'

const KEYS = [
  'LeafCertTTL',
  'IntermediateCertTTL',
  'CSRMaxPerSecond',
  'CSRMaxConcurrent',
  'PrivateKeyType',
  'PrivateKeyBits',
  'SkipValidate',
]

test('whatever a configuration holds, it is read or refused with a reason, and its secrets are not shown', (t) => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom('72h', '1h', 'ec', 'rsa', 2048))
  const config = fc.dictionary(fc.oneof(fc.constantFrom(...KEYS), fc.string()), value)
  fc.assert(
    fc.property(config, fc.constantFrom('consul', 'vault', 'aws-pca', 'external'), (written, provider) => {
      if (!isCaProvider(provider)) return
      const { settings, problems } = readCaConfig(provider, { ...written, PrivateKey: 'SECRET-1', Token: 'SECRET-2' })
      t.notRegex(JSON.stringify(settings), /SECRET/)
      for (const problem of problems) t.regex(problem, /\S/)
      if (problems.length > 0 || written['SkipValidate'] === true) return
      t.true(settings.leafCertTtlMs >= 3_600_000 && settings.leafCertTtlMs <= 8_760 * 3_600_000)
      t.true(settings.csrMaxPerSecond >= 0 && settings.csrMaxConcurrent >= 0)
    }),
  )
})

test('limits that are not written are those of the provider: ones that sign outside are protected', (t) => {
  const limitOf = (provider: 'consul' | 'external' | 'vault' | 'aws-pca') =>
    readCaConfig(provider, { LeafCertTTL: '24h' }).settings.csrMaxPerSecond
  t.deepEqual([limitOf('consul'), limitOf('external'), limitOf('vault'), limitOf('aws-pca')], [0, 0, 50, 50])
  t.deepEqual(readCaConfig('consul', { CSRMaxPerSecond: '7' }).settings.csrMaxPerSecond, 7)
})
