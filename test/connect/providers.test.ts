import test, { type ExecutionContext } from 'ava'
import { caRoots, rootAuthority } from '../../actors/ca/queries.ts'
import { bundleProgress, proxyReports } from '../../actors/reports/queries.ts'
import { startAws } from '../kit/aws-pca.ts'
import { issued } from '../kit/issue.ts'
import { meshPolicy, startVault, type VaultDouble } from '../kit/vault.ts'
import { issuerOf } from '../kit/vault-pki.ts'
import { dial } from './machine.ts'
import { activeRoot, type Begun, begin, changedOver, configure, verifies } from './rotating.ts'

const DAY_MS = 86_400_000

async function settled({ machine, traffic }: Begun, rootId: string): Promise<void> {
  await traffic.until(() => bundleProgress(machine.tables.view(), rootId).presenting === 2)
}

function presented({ machine }: Begun): string[] {
  return proxyReports(machine.tables.view()).reports.map(({ leafKeyId }) => leafKeyId)
}

test('no connection fails while Vault becomes the authority, renews its intermediate, and is left again', async (t) => {
  const begun = await begin(t)
  const { machine, traffic } = begun
  const vault = await startVault({ keepsIssuers: true })
  t.teardown(vault.close)
  await settled(begun, activeRoot(begun).id)
  const steady = dial(begun.port)
  t.is(await steady.answer('before'), 'before')
  const builtIn = activeRoot(begun)

  // Looked at after a third of its life.
  const Token = vault.newToken({ ttlMs: 6_000, renewable: true, policy: meshPolicy('root', 'intermediate') })
  const config = { Address: vault.address, Token, RootPKIPath: 'root', IntermediatePKIPath: 'intermediate' }
  await configure(begun, config, { provider: 'vault' })
  await changedOver(begun)
  const root = activeRoot(begun)
  t.is(root.name, 'Vault CA Primary Cert')
  t.deepEqual(presented(begun), [root.signingKeyId, root.signingKeyId])
  t.true(await verifies(t, begun, root.certPem))
  t.true(await verifies(t, begun, builtIn.certPem), 'the built-in root signed that of Vault')

  grownOld(vault)
  await traffic.until(() => activeRoot(begun).signingKeyId !== root.signingKeyId)
  t.is(activeRoot(begun).id, root.id)
  t.true(await verifies(t, begun, root.certPem))
  t.true(vault.asked.includes('POST auth/token/renew-self'))

  await configure(begun, { PrivateKeyBits: 384 })
  await changedOver(begun)
  t.is(activeRoot(begun).keyBits, 384)
  t.true(await verifies(t, begun, root.certPem), 'the root of Vault signed the built-in one')
  t.is(await steady.answer('after'), 'after')
  await traffic.stop()
  t.deepEqual(traffic.failures, [])
  t.log(`${traffic.made()} connections`)
  t.false(
    machine.lines.some((line) => JSON.stringify(line).includes(Token)),
    'no line has the token in it',
  )
  steady.socket.end()
  await steady.closed
})

/** The intermediate becomes one that has more than half of its life behind it. */
function grownOld({ engines }: VaultDouble): void {
  const engine = engines.get('intermediate')
  const root = engines.get('root')
  const [own, issuer] = [engine && issuerOf(engine), root && issuerOf(root)]
  if (!engine || !own || !issuer) throw new Error('Vault has no intermediate')
  const subject = { commonName: 'old', uris: [], spki: own.key.publicKey.spki, isCa: true, pathLength: 0 }
  const certPem = issued({ ...subject, notBeforeMs: Date.now() - 300 * DAY_MS, notAfterMs: Date.now() + 100 * DAY_MS }, { issuer })
  engine.issuers.set(engine.defaultIssuer, { ...own, certPem })
}

test('what Vault refuses changes nothing, and is said with its reason', async (t) => {
  const begun = await begin(t)
  const vault = await startVault()
  t.teardown(vault.close)
  const before = activeRoot(begun).id
  const config = { Address: vault.address, Token: 'hvs.unknown', RootPKIPath: 'root', IntermediatePKIPath: 'intermediate' }
  const refused = await t.throwsAsync(configure(begun, config, { provider: 'vault' }))
  t.is(refused.message, 'error configuring provider: Token: Vault refuses it: permission denied; invalid token')
  t.is(activeRoot(begun).id, before)
  t.is(vault.engines.size, 0)
  await begun.traffic.stop()
  t.deepEqual(begun.traffic.failures, [])
})

test.serial('no connection fails on the way to AWS Private CA and, by force, back', async (t) => {
  const aws = await awsFor(t)
  const begun = await begin(t)
  const { machine, traffic } = begun
  await settled(begun, activeRoot(begun).id)
  const builtIn = activeRoot(begun)
  await configure(begun, { DeleteOnExit: true }, { provider: 'aws-pca' })
  await changedOver(begun)
  const root = activeRoot(begun)
  t.is(root.name, 'AWS PCA CA Primary Cert')
  t.true(await verifies(t, begun, builtIn.certPem), 'the built-in root signed that of AWS')
  const kept = rootAuthority(machine.tables.view(), root.id, 'dc1')
  t.is(kept?.state['arn'], [...aws.authorities.keys()][0])

  const refused = await t.throwsAsync(configure(begun, { PrivateKeyBits: 384 }))
  t.regex(refused.message, /^The current CA Provider does not support cross-signing/)
  await configure(begun, { PrivateKeyBits: 384 }, { force: true })
  await changedOver(begun)
  t.is(activeRoot(begun).keyBits, 384)
  t.is(caRoots(machine.tables.view())?.roots.length, 3)
  await traffic.stop()
  t.deepEqual(traffic.failures, [])
})

/** The SDK looks into the process's environment. */
async function awsFor(t: ExecutionContext) {
  const aws = await startAws()
  t.teardown(aws.close)
  const before = Object.keys(aws.environment).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, aws.environment)
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
  return aws
}
