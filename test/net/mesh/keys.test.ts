import { connect as connectTls } from 'node:tls'
import test from 'ava'
import { createSigner } from '../../../net/signer.ts'
import type { KeyType } from '../../../src/kernel/ports.ts'
import { asking, granted } from '../../kit/asking.ts'
import { lifetime, newLeaf, newRoot } from '../../kit/authority.ts'
import { dialPlain, type Material, Rig, serviceId } from './kit.ts'

const ask = asking(createSigner())
/** Kinds of keys that a root and its leaves may have; leaves of a P-224 root have P-256. */
const KINDS: [type: KeyType, rootBits: number, leafBits: number][] = [
  ['ec', 224, 256],
  ['ec', 256, 256],
  ['ec', 384, 384],
  ['ec', 521, 521],
  ['rsa', 2048, 2048],
]

async function authorityOf(type: KeyType, rootBits: number, leafBits: number): Promise<(service: string) => Promise<Material>> {
  const root = await newRoot(ask, type, rootBits)
  return async (service) => ({ ...(await newLeaf(ask, root, service, type, leafBits)), rootsPem: [root.certPem] })
}

for (const [type, rootBits, leafBits] of KINDS) {
  test(`two sidecars with leaves of a root with a ${type} key of ${rootBits} bits speak to each other`, async (t) => {
    const rig = new Rig()
    t.teardown(() => rig.end())
    const materialOf = await authorityOf(type, rootBits, leafBits)
    const { application, port } = await rig.application()
    await rig.identify('web', await materialOf('web'))
    await rig.identify('db', await materialOf('db'))
    const { port: publicPort } = await rig.listen('db', 'public', { port })
    const { port: upstreamPort } = await rig.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
    const end = await dialPlain(upstreamPort, rig.lookout)
    end.send('hello')
    const inner = await application.next()
    await rig.lookout.until(() => inner.received() === 'hello')
    t.pass()
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`a client of ${version} with a leaf of a root with a ${type} key of ${rootBits} bits is accepted`, async (t) => {
      const rig = new Rig()
      t.teardown(() => rig.end())
      const materialOf = await authorityOf(type, rootBits, leafBits)
      await rig.identify('db', await materialOf('db'))
      const { port } = await rig.listen('db', 'public', undefined)
      const { certPem, keyPem, rootsPem } = await materialOf('web')
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        minVersion: version,
        maxVersion: version,
        cert: certPem,
        key: keyPem,
        ca: rootsPem,
        checkServerIdentity: () => undefined,
      })
      socket.on('error', () => socket.destroy())
      t.is((await rig.event('accepted')).peer?.uri, serviceId('web'))
      socket.destroy()
    })
  }
}

test('an intermediate between leaf and root is shown along, and believed', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const root = await newRoot(ask)
  const below = await newRoot(ask, 'ec', 384, 8)
  const { certPem: intermediatePem = '' } = granted(
    await ask({ do: 'cross-sign', certPem: below.certPem, by: root, serial: 9, ...lifetime(5) }),
  )
  const materialOf = async (service: string): Promise<Material> => {
    const { certPem, keyPem } = await newLeaf(ask, below, service)
    return { certPem: certPem + intermediatePem, keyPem, rootsPem: [root.certPem] }
  }
  const { application, port } = await rig.application()
  await rig.identify('web', await materialOf('web'))
  await rig.identify('db', await materialOf('db'))
  const { port: publicPort } = await rig.listen('db', 'public', { port })
  const { port: upstreamPort } = await rig.listen('web', 'upstream', { port: publicPort, identity: serviceId('db') })
  const end = await dialPlain(upstreamPort, rig.lookout)
  end.send('hello')
  const inner = await application.next()
  await rig.lookout.until(() => inner.received() === 'hello')
  t.pass()
})
