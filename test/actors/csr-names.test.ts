import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import type { SignedLeaf } from '../../actors/ca/protocol.ts'
import { trustBundle } from '../../actors/ca/queries.ts'
import type { Result } from '../../src/kernel/refusal.ts'
import { granted, refused } from '../kit/asking.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { tryCa } from '../kit/try-ca.ts'

const openssl = promisify(execFile)

/** A CSR as OpenSSL writes it, with these names. */
async function csrNaming(t: ExecutionContext, names: string): Promise<string> {
  const folder = temporaryDirectory(t)
  const [key, csr] = [join(folder, 'key'), join(folder, 'csr')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
  await openssl('openssl', ['req', '-new', ...curve, '-out', csr, '-subj', '/CN=web', '-addext', `subjectAltName=${names}`])
  return readFile(csr, 'utf8')
}

test('a CSR with several names is signed for its first URI and nothing else; that one decides', async (t) => {
  const { a, run, tables, ask } = tryCa()
  run()
  const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
  const uri = (service: string, datacenter = 'dc1') => `spiffe://${trustDomain}/ns/default/dc/${datacenter}/svc/${service}`
  const sign = async (names: string) => {
    const call = a.call('sign', { csrPem: await csrNaming(t, names), token: '' })
    run()
    return call.result as Result<SignedLeaf>
  }
  const leaf = granted(await sign(`DNS:db.internal,URI:${uri('web')},URI:${uri('db')},IP:10.0.0.1`))
  t.is(leaf.uri, uri('web'))
  const facts = ask({ do: 'read-certificate', certPem: leaf.certPem })
  t.deepEqual(facts.uris, [uri('web')])
  t.is(facts.commonName, `web.svc.default.${trustDomain.slice(0, 8)}.consul`)
  t.is(
    refused(await sign(`URI:${uri('web', 'dc2')},URI:${uri('web')}`)).why,
    'SPIFFE ID in CSR from a different datacenter: dc2, we are dc1',
  )
})

test('a leaf has its id as it is always written, however the CSR spells it: others compare letter by letter', async (t) => {
  const { a, run, tables } = tryCa()
  run()
  const { trustDomain = '' } = trustBundle(tables.view())?.bundle ?? {}
  const plain = `spiffe://${trustDomain}/ns/default/dc/dc1/svc/web`
  const sign = async (uri: string) => {
    const call = a.call('sign', { csrPem: await csrNaming(t, `URI:${uri}`), token: '' })
    run()
    return call.result as Result<SignedLeaf>
  }
  for (const uri of [
    plain.replace(trustDomain, trustDomain.toUpperCase()),
    plain.replace('/svc/web', '/svc/w%65b'),
    `${plain}?as=db`,
    `${plain}#db`,
    plain.replace('spiffe:', 'SPIFFE:'),
  ]) {
    t.is(granted(await sign(uri)).uri, plain, uri)
  }
  for (const uri of [
    `${plain}/`,
    `${plain}/../db`,
    plain.replace(trustDomain, `me@${trustDomain}`),
    plain.replace(trustDomain, `${trustDomain}:443`),
  ]) {
    t.regex(refused(await sign(uri)).why, /not in the expected format|different trust domain/, uri)
  }
})
