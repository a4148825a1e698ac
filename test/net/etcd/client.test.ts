import test from 'ava'
import { connectEtcd, type EtcdFiles } from '../../../net/etcd/client.ts'
import { startEtcd } from '../../kit/etcd.ts'
import { selfSigned } from '../../kit/self-signed.ts'

test('certificates are shown and wanted: without the right ones, or without TLS, etcd cannot be reached', async (t) => {
  const { cert, key } = selfSigned()
  const files = { ca: Buffer.from(cert), cert: Buffer.from(cert), key: Buffer.from(key) }
  const { endpoint } = await startEtcd(t, files)
  const ask = async (files: EtcdFiles, ...endpoints: { host: string; port: number; tls: boolean }[]) => {
    const etcd = connectEtcd({ endpoints, files })
    const answers = [await etcd.range({ key: 'a' }), await etcd.range({ key: 'a' })]
    etcd.close()
    return answers
  }
  const found = { found: [], more: false }
  const away = (host: string, port: number) => ({ refused: 'busy', why: `etcd at ${host}:${port} cannot be reached` })
  const here = away('127.0.0.1', endpoint.port)
  t.like(await ask(files, endpoint), [found, found])
  t.like(await ask(files, { ...endpoint, host: 'localhost' }), [found, found])
  t.like(await ask({ ca: files.ca }, endpoint), [here, here])
  t.like(await ask({}, endpoint), [here, here])
  t.like(await ask(files, { ...endpoint, tls: false }), [here, here])
  const other = selfSigned()
  t.like(await ask({ ...files, ca: Buffer.from(other.cert) }, endpoint), [here, here])
  t.like(await ask(files, { ...endpoint, host: '127.0.0.2' }), [away('127.0.0.2', endpoint.port), away('127.0.0.2', endpoint.port)])
  // A member that is away is asked once.
  t.like(await ask(files, { host: '127.0.0.1', port: 9, tls: true }, endpoint), [away('127.0.0.1', 9), found])
})

test('what etcd refuses says whether it may have happened', async (t) => {
  const { endpoint } = await startEtcd(t)
  const etcd = connectEtcd({ endpoints: [endpoint], files: {} })
  t.teardown(() => etcd.close())
  t.like(await etcd.txn({ when: [], then: [{ do: 'put', key: '', value: 'x' }] }), { refused: 'invalid' })
  t.like(await etcd.txn({ when: [], then: [{ do: 'put', key: 'a', value: Buffer.alloc(1_700_000) }] }), { refused: 'invalid' })
  t.like(await etcd.compact(1_000_000), { refused: 'gone' })
  t.like(await etcd.keepAlive(1n), { ttlS: 0 })
  t.like(await etcd.revoke(1n), { refused: 'missing' })
  const lease = await etcd.grant(60)
  t.true('ttlS' in lease && lease.ttlS === 60)
})
