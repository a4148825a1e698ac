import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { connectEtcd, type EtcdFiles } from '../../net/etcd/client.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { freePorts } from './free-ports.ts'
import { type Running, startProgram, until } from './running.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** An etcd of one member that belongs to one test and ends with it. */
export type RunningEtcd = Running & {
  readonly endpoint: { host: string; port: number; tls: boolean }
  /** For `-etcd-endpoints`. */
  readonly url: string
}

/** With `files`, it shows and wants certificates. Fails, saying what to install, where there is no etcd on the PATH. */
export async function startEtcd(t: ExecutionContext, files: EtcdFiles = {}): Promise<RunningEtcd> {
  const tls = files.cert !== undefined
  const ports = await freePorts()
  const [port, peerPort] = [ports.next(), ports.next()]
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const peerUrl = `http://127.0.0.1:${peerPort}`
  const flags = {
    'data-dir': temporaryDirectory(t),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': `default=${peerUrl}`,
    ...(tls && tlsFlags(temporaryDirectory(t), files)),
  }
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  const program = startProgram(t, 'etcd', 'etcd', args)
  const failed = program.ended.then(
    ({ err }) => Promise.reject(new Error(`etcd ended: ${err}`)),
    (error: unknown) => Promise.reject(new Error(`this test needs etcd on the PATH (Debian: apt-get install etcd-server): ${error}`)),
  )
  const endpoint = { host: '127.0.0.1', port, tls }
  const etcd = connectEtcd({ endpoints: [endpoint], files })
  await Promise.race([
    failed,
    until(
      'etcd answers',
      () => etcd.range({ key: 'x' }),
      (answer) => !isRefused(answer),
    ),
  ])
  etcd.close()
  failed.catch(() => undefined)
  return { ...program, endpoint, url }
}

function tlsFlags(
  directory: string,
  { ca = '', cert = '', key = '' }: Partial<Record<keyof EtcdFiles, Buffer | string>>,
): Record<string, string> {
  const path = (name: string) => join(directory, name)
  writeFileSync(path('ca'), ca)
  writeFileSync(path('cert'), cert)
  writeFileSync(path('key'), key)
  return { 'trusted-ca-file': path('ca'), 'cert-file': path('cert'), 'key-file': path('key'), 'client-cert-auth': 'true' }
}
