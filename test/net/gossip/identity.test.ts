import { readFileSync, statSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { identityPath, openIdentity } from '../../../net/gossip/identity.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'
import { realArm } from '../../ports/gossip-arms.ts'

test('an agent is the same peer after a restart, and only its owner may read its key', async (t) => {
  const directory = temporaryDirectory(t)
  const arm = realArm(directory)
  const first = arm.end()
  const { peer } = await first.must({ do: 'listen', address: arm.host, port: 0, keys: [] })
  await first.close()
  t.is(statSync(identityPath(directory)).mode & 0o777, 0o600)
  const second = arm.end()
  t.teardown(() => arm.close())
  t.is((await second.must({ do: 'listen', address: arm.host, port: 0, keys: [] })).peer, peer)
})

test('without a data directory there is another key each time', async (t) => {
  const [one, two] = [await openIdentity(undefined), await openIdentity(undefined)]
  t.not(one.publicKey.toString(), two.publicKey.toString())
})

test('a file that holds no key is named, and stays as it is', async (t) => {
  const directory = temporaryDirectory(t)
  await openIdentity(directory)
  const path = identityPath(directory)
  for (const text of ['', 'AAAA\n', readFileSync(path, 'utf8').slice(0, 20)]) {
    writeFileSync(path, text)
    await t.throwsAsync(openIdentity(directory), { message: new RegExp(`^${path} holds no key of a peer`) })
    t.is(readFileSync(path, 'utf8'), text)
  }
})
