import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { CertificateAuthority } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { issueAgentCertificate, issueAuthority } from '../agent-certificates.ts'
import { syncDirectory } from '../data-directory.ts'
import { makeDirectory } from '../make-directory.ts'

/** What a server's own etcd has on the disk: a folder that only the agent's user may enter. */
export type ChildFiles = {
  readonly directory: string
  /** Where etcd listens for this agent. */
  readonly socket: string
  /** Where etcd keeps its data. */
  readonly data: string
  /** The authority's certificate alone: etcd takes a file with anything else for damaged. */
  readonly trusted: string
  /** The authority's certificate and key. */
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

/** `socketName`, as a URL of etcd has it: `unix://client:0` is a file of that name in the folder that it is started in. */
export const SOCKET_NAME = 'client:0'
/** What the system takes, with the byte that ends it. Source: unix(7). */
const SOCKET_PATH_BYTES_MAX = 107
const DAYS = 3_650

export function childFiles(dataDirectory: string): ChildFiles {
  const directory = resolve(dataDirectory, 'etcd')
  const path = (name: string) => join(directory, name)
  return {
    directory,
    socket: path(SOCKET_NAME),
    data: path('data'),
    trusted: path('trusted.pem'),
    authority: path('authority.pem'),
    certificate: path('peer.pem'),
    key: path('peer-key.pem'),
  }
}

/** Why no etcd can be run there. */
export function socketFault({ socket }: ChildFiles): Refusal | undefined {
  const bytes = Buffer.byteLength(socket)
  if (bytes <= SOCKET_PATH_BYTES_MAX) return undefined
  return refuse('invalid', `data_dir: the path ${socket} has ${bytes} bytes, the system takes sockets of ${SOCKET_PATH_BYTES_MAX} at most`)
}

/** Whether etcd was a member of a cluster before. */
export function isMember({ data }: ChildFiles): boolean {
  return existsSync(join(data, 'member', 'wal'))
}

export function forgetMember({ data }: ChildFiles): void {
  rmSync(data, { recursive: true, force: true })
}

/** The authority that is kept, its key too. */
export function keptAuthority({ authority }: ChildFiles): CertificateAuthority | undefined {
  if (!existsSync(authority)) return undefined
  const text = readFileSync(authority, 'utf8')
  const at = text.indexOf(KEY_BEGINS)
  return at < 0 ? undefined : { certPem: text.slice(0, at), keyPem: text.slice(at) }
}

/** The kept authority, or a new one that is kept from now on. */
export async function ownAuthority(files: ChildFiles): Promise<Result<CertificateAuthority>> {
  const kept = keptAuthority(files)
  if (kept) return kept
  const made = await issueAuthority({ commonName: (serial) => `Tribune servers ${serial}`, days: DAYS, permitted: [], uri: '' })
  if (!isRefused(made)) keepAuthority(files, made)
  return made
}

/** Keeps the authority and a new certificate of this machine, for all addresses that it has and those that are named. */
export async function certify(
  files: ChildFiles,
  authority: CertificateAuthority,
  addresses: readonly string[],
): Promise<Refusal | undefined> {
  const own = Object.values(networkInterfaces()).flatMap((list = []) => list.map(({ address }) => address.replace(/%.*$/, '')))
  const ips = [...new Set([...addresses, ...own])].filter((address) => address !== '0.0.0.0' && address !== '::')
  const order = { by: authority, commonName: 'server', dns: [], ips, days: DAYS, speaksToAgents: true }
  const made = await issueAgentCertificate(order)
  if (isRefused(made)) return made
  keepAuthority(files, authority)
  writePrivately(files.trusted, authority.certPem)
  writePrivately(files.certificate, made.certPem)
  writePrivately(files.key, made.keyPem)
  return undefined
}

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600
const KEY_BEGINS = '-----BEGIN EC PRIVATE KEY-----'

/** One file, so that there is never a certificate with another one's key. */
function keepAuthority(files: ChildFiles, { certPem, keyPem }: CertificateAuthority): void {
  makeDirectory(files.directory, DIRECTORY_MODE)
  writePrivately(files.authority, `${certPem.trimEnd()}\n${keyPem}`)
}

/** All of it or nothing. */
function writePrivately(path: string, text: string): void {
  const incomplete = `${path}.new`
  writeFileSync(incomplete, text, { mode: FILE_MODE, flush: true })
  renameSync(incomplete, path)
  syncDirectory(dirname(path))
}
