import { execFileSync } from 'node:child_process'
import type { OwnEtcdConfig } from '../../src/config/config.ts'
import type { CertificateAuthority, Device, EtcdEvent, EtcdOutcome, EtcdPeer, EtcdRequest, Ports } from '../../src/kernel/ports.ts'
import { type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { type EtcdCluster, openCluster } from './child-cluster.ts'
import { certify, childFiles, forgetMember, isMember, keptAuthority, ownAuthority, SOCKET_NAME, socketFault } from './child-files.ts'
import { type RunningChild, runChild } from './child-process.ts'

export type EtcdChildOptions = {
  own: OwnEtcdConfig
  dataDirectory: string
  clock: Ports['clock']
  print: Ports['print']
}

export type EtcdChild = Device<EtcdRequest, EtcdOutcome, EtcdEvent> & {
  /** Ends the program, if it runs. */
  close(): Promise<void>
}

const PROGRAM = 'etcd'
const VERSION_WITHIN_MS = 10_000
const NOT_RUNNING = refuse('busy', 'etcd does not run')

/** The etcd of this server's own, with all it has in `<data directory>/etcd`. */
export function createEtcdChild({ own, dataDirectory, clock, print }: EtcdChildOptions): EtcdChild {
  const files = childFiles(dataDirectory)
  let child: RunningChild | undefined
  let tell: (event: EtcdEvent) => void = () => undefined
  let cluster: EtcdCluster | undefined

  async function start(request: Extract<EtcdRequest, { do: 'start' }>, event: (event: EtcdEvent) => void): Promise<Result<EtcdOutcome>> {
    tell = event
    if (child) return {}
    const refusal = await certify(files, request.authority, [own.advertise, own.bind])
    if (refusal) return refusal
    child = runChild({
      command: [PROGRAM, ...flagsOf(request, own)],
      directory: files.directory,
      socket: files.socket,
      clock,
      print,
      ended: (why, isOut) => tell({ did: 'ended', why, isOut }),
    })
    return {}
  }

  async function end(): Promise<void> {
    const ending = child
    child = undefined
    cluster?.close()
    cluster = undefined
    await ending?.stop()
  }

  async function carryOut(request: EtcdRequest, event: (event: EtcdEvent) => void): Promise<Result<EtcdOutcome>> {
    switch (request.do) {
      case 'look': {
        const fault = socketFault(files) ?? programFault()
        if (fault) return fault
        const authority: CertificateAuthority | undefined = keptAuthority(files)
        return { isMember: authority !== undefined && isMember(files), ...(authority && { authority }) }
      }
      case 'authorize': {
        const authority = await ownAuthority(files)
        return 'refused' in authority ? authority : { authority }
      }
      case 'start':
        return start(request, event)
      case 'forget':
        await end()
        forgetMember(files)
        return {}
    }
    if (!child) return NOT_RUNNING
    cluster ??= openCluster(files.socket)
    switch (request.do) {
      case 'members':
        return cluster.members()
      case 'add':
        return cluster.add(request.url)
      case 'promote':
        return cluster.promote(request.id)
      case 'remove':
        return cluster.remove(request.id)
    }
  }

  return {
    perform(request, done, event) {
      carryOut(request, event).then(done, (error: unknown) => done(refuse('busy', error instanceof Error ? error.message : String(error))))
    },
    close: end,
  }

  function flagsOf(
    { name, members, founds }: { name: string; members: readonly EtcdPeer[]; founds: boolean },
    { advertise, bind, port }: OwnEtcdConfig,
  ) {
    const url = peerUrl(advertise, port)
    const flags = {
      name,
      'data-dir': files.data,
      'listen-client-urls': `unix://${SOCKET_NAME}`,
      'advertise-client-urls': `unix://${SOCKET_NAME}`,
      'listen-peer-urls': peerUrl(bind, port),
      'initial-advertise-peer-urls': url,
      'initial-cluster': members.map((member) => `${member.name}=${member.url}`).join(','),
      'initial-cluster-state': founds ? 'new' : 'existing',
      'initial-cluster-token': 'tribune',
      'peer-client-cert-auth': 'true',
      'peer-trusted-ca-file': files.trusted,
      'peer-cert-file': files.certificate,
      'peer-key-file': files.key,
      'quota-backend-bytes': String(QUOTA_BYTES),
      'snapshot-count': '10000',
      logger: 'zap',
      'log-outputs': 'stderr',
    }
    return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
  }
}

/** As much as etcd recommends at most: tables on their way to another server need room for a moment. */
const QUOTA_BYTES = 8 * 1024 ** 3

function peerUrl(host: string, port: number): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Why there is no etcd that could be run. */
function programFault(): Refusal | undefined {
  const found = versionOf()
  if (typeof found !== 'string') return found
  const [major = 0, minor = 0] = found.split('.').map(Number)
  if (major > 3 || (major === 3 && minor >= 4)) return undefined
  return refuse('invalid', `the etcd on the PATH is version ${found}: 3.4 or newer is required`)
}

function versionOf(): string | Refusal {
  try {
    const text = execFileSync(PROGRAM, ['--version'], { encoding: 'utf8', timeout: VERSION_WITHIN_MS })
    return /etcd Version: (\d+\.\d+\.\d+)/.exec(text)?.[1] ?? refuse('invalid', 'the etcd on the PATH does not tell its version')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return refuse(
      'invalid',
      `servers that share their state need etcd 3.4 or newer on the PATH (Debian: apt-get install etcd-server): ${why}`,
    )
  }
}
