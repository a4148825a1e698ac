import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { rotationProgress } from '../../actors/ca/progress.ts'
import { caRoots } from '../../actors/ca/queries.ts'
import type { CaProvider, CaRoot } from '../../actors/ca/tables.ts'
import type { ManagedProxy } from '../../actors/proxies/protocol.ts'
import { realRandom } from '../../net/clock.ts'
import { readCaConfig } from '../../src/config/ca-config.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { asking } from '../kit/asking.ts'
import { freePorts } from '../kit/free-ports.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { asked, dial, serviceDefinition, startEcho, startMachine, upstream } from './machine.ts'

/** Sidecars change over within a second, each at its own moment, in place of half a minute. */
const hasty: Random = { ...realRandom, int: (from, to) => realRandom.int(from, Math.min(to, from + 1_000)) }
/** Connections that are made one after the other, so many rows at once. */
const ROWS = 3

export type Begun = Awaited<ReturnType<typeof begin>>

/** A machine with two sidecars, and applications that connect through them all the time. */
export async function begin(t: ExecutionContext) {
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

/** Changes the authority, and waits for the answer. */
export async function configure(
  { machine }: Begun,
  config: Record<string, unknown>,
  { provider = 'consul' as CaProvider, force = false } = {},
) {
  const settings = { ...readCaConfig(provider, config).settings, forceWithoutCrossSigning: force }
  await asked(machine.host, 'ca', 'configure', { provider, config, settings, rehearse: false, token: '' })
}

export function activeRoot({ machine }: Begun): CaRoot {
  const root = caRoots(machine.tables.view())?.roots.find(({ active }) => active)
  if (!root) throw new Error('no root is active')
  return root
}

/** Waits until both sidecars have the bundle with the active root and a leaf of it. */
export async function changedOver(begun: Begun): Promise<void> {
  const view = () => begun.machine.tables.view()
  await begun.traffic.until(() => {
    const progress = rotationProgress(view())
    return progress?.phase === 'retiring' && progress.proxies === 2
  })
}

/** Whether openssl believes a new leaf that came with all its intermediates, by this root alone. */
export async function verifies(t: ExecutionContext, { machine }: Begun, rootPem: string): Promise<boolean> {
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
