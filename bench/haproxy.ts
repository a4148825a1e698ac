import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Benchmark } from './benchmark.ts'
import { ask } from './kit/http.ts'
import { measurePair, startBackend } from './kit/mesh-load.ts'
import { freePorts } from './kit/ports.ts'
import { pathOf } from './kit/tools.ts'
import { untilTrue } from './kit/wait.ts'

export const haproxy: Benchmark = {
  name: 'haproxy',
  about: 'the same through two HAProxy processes with mutual TLS, for comparison',
  needs: ['wrk', 'curl', 'haproxy', 'openssl'],
  async run(stage) {
    const [dbPort, publicPort, upstreamPort = 0] = (await freePorts(3)) as [number, number, number]
    await startBackend(stage, dbPort)
    makeCertificates(stage.directory)
    const authority = join(stage.directory, 'ca.crt')
    const certificate = (name: string) => join(stage.directory, `${name}.pem`)
    const configs = {
      db: `
listen public
  bind 127.0.0.1:${publicPort} ssl crt ${certificate('db')} ca-file ${authority} verify required
  server db 127.0.0.1:${dbPort}`,
      web: `
listen upstream
  bind 127.0.0.1:${upstreamPort}
  server db 127.0.0.1:${publicPort} ssl crt ${certificate('web')} ca-file ${authority} verify required verifyhost db sni str(db)`,
    }
    const pids: number[] = []
    for (const [name, listen] of Object.entries(configs)) {
      const file = join(stage.directory, `${name}.cfg`)
      writeFileSync(file, `${COMMON}${listen}\n`)
      pids.push(stage.start(pathOf('haproxy') ?? 'haproxy', ['-db', '-f', file]).pid ?? 0)
    }
    const url = `http://127.0.0.1:${upstreamPort}/`
    await untilTrue('a request passes through both', async () => (await ask('GET', url, undefined, { fresh: true })).status === 200)
    return measurePair(stage, 'HAProxy pair', { pids }, upstreamPort, dbPort, {})
  },
}

/** Sessions are resumed on both sides, as HAProxy does by itself and our sidecars do too. */
const COMMON = `global
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s`

/** A P-256 authority and a certificate signed by it for each side. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) =>
    execFileSync(pathOf('openssl') ?? 'openssl', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...curve, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=bench authority', '-days', '2')
  for (const name of ['web', 'db']) {
    const extensions = `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth,clientAuth\n`
    writeFileSync(join(directory, `${name}.ext`), extensions)
    openssl('req', ...curve, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const files = ['-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`]
    openssl('x509', '-req', ...files, '-out', `${name}.crt`, '-days', '2')
    const both = [`${name}.crt`, `${name}.key`].map((file) => readFileSync(join(directory, file), 'utf8'))
    writeFileSync(join(directory, `${name}.pem`), both.join(''))
  }
}
