import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { syncDirectory } from '../data-directory.ts'
import { makeDirectory } from '../make-directory.ts'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/** The file with the key that makes this agent the peer it is, in the pool of its datacenter if no other name is given. */
export function identityPath(dataDirectory: string, name = 'peer.key'): string {
  return join(dataDirectory, 'gossip', name)
}

/**
 * This agent's Ed25519 key: from the data directory, where it is made once and only its owner may read it, or a new one if there is
 * no directory. Throws an error that names the file if it holds no such key.
 */
export async function openIdentity(dataDirectory: string | undefined, name?: string): Promise<PrivateKey> {
  if (dataDirectory === undefined) return generateKeyPair('Ed25519')
  const path = identityPath(dataDirectory, name)
  const text = textOf(path)
  if (text !== undefined) return readKey(path, text)
  const key = await generateKeyPair('Ed25519')
  makeDirectory(dirname(path), DIRECTORY_MODE)
  const incomplete = `${path}.new`
  writeFileSync(incomplete, `${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`, { mode: FILE_MODE, flush: true })
  renameSync(incomplete, path)
  syncDirectory(dirname(path))
  return key
}

function readKey(path: string, text: string): PrivateKey {
  try {
    return privateKeyFromProtobuf(Buffer.from(text.trim(), 'base64'))
  } catch (error) {
    throw new Error(`${path} holds no key of a peer: restore it, or remove it, and this agent becomes a new peer`, { cause: error })
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
