import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { rotationProgress } from '../../actors/ca/progress.ts'
import { caRoots } from '../../actors/ca/queries.ts'
import type { CaProvider, CaRoot } from '../../actors/ca/tables.ts'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { bundleProgress, proxyReports } from '../../actors/reports/queries.ts'
import { realRandom } from '../../net/clock.ts'
import { readCaConfig } from '../../src/config/ca-config.ts'
import type { Random, SignerRequest } from '../../src/kernel/ports.ts'
import { asking, granted } from '../kit/asking.ts'
import { freePorts } from '../kit/free-ports.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { asked, dial, serviceDefinition, startEcho, startMachine, upstream } from './machine.ts'

/** Sidecars change over within a second, each at its own moment, in place of half a minute. */
const hasty: Random = { ...realRandom, int: (from, to) => realRandom.int(from, Math.min(to, from + 1_000)) }
/** Connections that are made one after the other, so many rows at once. */
const ROWS = 3

type Begun = Awaited<ReturnType<typeof begin>>

async function begin(t: ExecutionContext) {
  const ports = await freePorts()
  const port = ports.next()
  const machine = startMachine({ ports: ports.range(4), random: hasty })
  const echo = await startEcho()
  t.teardown(machine.close)
  t.teardown(echo.close)
  await machine.register([serviceDefinition('db', echo.port), serviceDefinition('web', 1, { upstreams: [upstream('db', port)] })])
  await machine.proxies((list) => list.filter(({ status }) => status?.phase === 'listening').length === 2)
  await machine.proxies((list) => reaches(list))
  const traffic = steadyTraffic(port)
  t.teardown(traffic.stop)
  return { machine, traffic, port, ask: asking(machine.signer) }
}

function reaches(list: readonly ManagedProxy[]): boolean {
  const status = list.find(({ service }) => service === 'web')?.status
  return (status?.upstreams ?? []).some(({ instances }) => instances > 0)
}

/** New connections all the time. `until` is asked after each of them, so nothing waits for a clock. */
function steadyTraffic(port: number) {
  let stopped = false
  const failures: string[] = []
  let made = 0
  const lookers = new Set<() => void>()
  const row = async () => {
    while (!stopped) {
      const connection = dial(port)
      const said = `hello ${++made}`
      const answer = await connection.answer(said)
      if (answer !== said && !stopped) failures.push(`${said}: ${answer === '' ? 'closed' : answer}`)
      connection.socket.end()
      await connection.closed
      for (const look of lookers) look()
    }
  }
  const rows = Array.from({ length: ROWS }, row)
  return {
    failures,
    made: () => made,
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!holds()) return
          lookers.delete(look)
          resolve()
        }
        lookers.add(look)
      }),
    async stop() {
      stopped = true
      await Promise.all(rows)
    },
  }
}

async function configure({ machine }: Begun, config: Record<string, unknown>, { provider = 'consul' as CaProvider, force = false } = {}) {
  const settings = { ...readCaConfig(provider, config).settings, forceWithoutCrossSigning: force }
  await asked(machine.host, 'ca', 'configure', { provider, config, settings, rehearse: false, token: '' })
}

function activeRoot({ machine }: Begun): CaRoot {
  const root = caRoots(machine.tables.view())?.roots.find(({ active }) => active)
  if (!root) throw new Error('no root is active')
  return root
}

/** Waits until both sidecars have the bundle with the active root and a leaf of it. */
async function changedOver(begun: Begun): Promise<void> {
  const view = () => begun.machine.tables.view()
  await begun.traffic.until(() => {
    const progress = rotationProgress(view())
    return progress?.phase === 'retiring' && progress.proxies === 2
  })
}

test('no connection fails while the root changes: to other kinds of keys, to another provider, and without cross-signing', async (t) => {
  const begun = await begin(t)
  const { machine, traffic } = begun
  await traffic.until(() => bundleProgress(machine.tables.view(), activeRoot(begun).id).presenting === 2)
  const steady = dial(begun.port)
  t.is(await steady.answer('before'), 'before')
  const seen = [activeRoot(begun).id]
  for (const [config, kind] of [
    [{ PrivateKeyBits: 384 }, 'ec-384'],
    [{ PrivateKeyType: 'rsa', PrivateKeyBits: 2048 }, 'rsa-2048'],
    [{ PrivateKeyBits: 521 }, 'ec-521'],
    [{ PrivateKeyBits: 224 }, 'ec-224'],
  ] as const) {
    await configure(begun, config)
    await changedOver(begun)
    const { id, keyType, keyBits, signingKeyId } = activeRoot(begun)
    t.is(`${keyType}-${keyBits}`, kind)
    t.true(proxyReports(machine.tables.view()).reports.every(({ leafKeyId }) => leafKeyId === signingKeyId))
    seen.push(id)
  }

  await configure(begun, await externalFiles(t, begun), { provider: 'external' })
  await changedOver(begun)
  t.is(activeRoot(begun).name, 'External CA Primary Cert')
  t.not(activeRoot(begun).signingKeyId, '')

  await configure(begun, { PrivateKeyBits: 256, DisableCrossSigning: true })
  await changedOver(begun)
  await configure(begun, { PrivateKeyBits: 384, LeafCertTTL: '1h' }, { force: true })
  await changedOver(begun)
  t.is(activeRoot(begun).keyBits, 384)
  t.is(await steady.answer('after'), 'after')
  await traffic.stop()
  t.deepEqual(traffic.failures, [])
  t.log(`${traffic.made()} connections`)
  steady.socket.end()
  await steady.closed
})

test('openssl goes from the old root over the cross-signed one to a new leaf, and from an external root over its intermediate', async (t) => {
  const begun = await begin(t)
  const old = activeRoot(begun)
  await configure(begun, { PrivateKeyType: 'rsa', PrivateKeyBits: 2048 })
  const root = activeRoot(begun)
  t.true(await verifies(t, begun, old.certPem))
  t.true(await verifies(t, begun, root.certPem))
  await configure(begun, await externalFiles(t, begun), { provider: 'external' })
  t.true(await verifies(t, begun, root.certPem))
  t.true(await verifies(t, begun, activeRoot(begun).certPem))
  t.false(await verifies(t, begun, old.certPem), 'the oldest root leads nowhere near')
})

/** Whether openssl believes a new leaf that came with all its intermediates, by this root alone. */
async function verifies(t: ExecutionContext, { machine }: Begun, rootPem: string): Promise<boolean> {
  const { leaf } = (await asked(machine.host, 'leaf', 'get', { service: 'web', token: '' })) as { leaf: { certPem: string } }
  const folder = temporaryDirectory(t)
  const [own = '', ...above] = leaf.certPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? []
  const files = { 'root.pem': rootPem, 'leaf.pem': own, 'above.pem': above.join('') || rootPem }
  for (const [name, pem] of Object.entries(files)) writeFileSync(join(folder, name), pem)
  try {
    execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'above.pem', 'leaf.pem'], {
      cwd: folder,
      stdio: 'pipe',
    })
    return true
  } catch (error) {
    t.log(error instanceof Error ? error.message : String(error))
    return false
  }
}

/** A root, an intermediate that it signed, and the intermediate's key, as an operator brings them. */
async function externalFiles(t: ExecutionContext, { machine, ask }: Begun): Promise<Record<string, unknown>> {
  const uri = `spiffe://${caRoots(machine.tables.view())?.trustDomain}`
  const notBeforeMs = Date.now() - 3_600_000
  const times = { notBeforeMs, notAfterMs: notBeforeMs + 400 * 86_400_000 }
  const made = async (request: SignerRequest) => granted(await ask(request))
  const authority = async (commonName: string, serial: number) => {
    const { keyPem = '' } = await made({ do: 'key', type: 'ec', bits: 256 })
    const { certPem = '' } = await made({ do: 'root', keyPem, commonName, uri, serial, ...times })
    return { keyPem, certPem }
  }
  const root = await authority('Root of the house', 1)
  const below = await authority('Mesh of the house', 2)
  const { certPem: intermediatePem = '' } = await made({ do: 'cross-sign', certPem: below.certPem, by: root, serial: 3, ...times })
  const folder = temporaryDirectory(t)
  const files = { CertFile: intermediatePem, KeyFile: below.keyPem, RootFile: root.certPem }
  for (const [name, pem] of Object.entries(files)) writeFileSync(join(folder, name), pem)
  return Object.fromEntries(Object.keys(files).map((name) => [name, join(folder, name)]))
}
