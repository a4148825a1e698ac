import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readGossipKey } from '../../src/gossip-key.ts'
import type { Device, GossipEvent, GossipOutcome, GossipRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'
import { syncDirectory } from '../data-directory.ts'
import { makeDirectory } from '../make-directory.ts'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/** Of the pool of the datacenter, and of that of the servers of all. */
export type KeyringName = 'local.keyring' | 'remote.keyring'

/** The file with the keys of the private network, the one in use first, as Consul's agents keep them. */
export function keyringPath(dataDirectory: string, name: KeyringName = 'local.keyring'): string {
  return join(dataDirectory, 'serf', name)
}

/**
 * A gossip device that remembers keys: once there is a file, its keys count and not those that `listen` is given, and each change is
 * in the file before it is said to be done. The outcome of `listen` carries the keys that hold. `dataDirectory` undefined: nothing is kept.
 */
export function withKeyring(device: Gossip, dataDirectory: string | undefined, name?: KeyringName): Gossip {
  const path = dataDirectory === undefined ? undefined : keyringPath(dataDirectory, name)
  return {
    perform(request, done, event) {
      if (request.do === 'listen') {
        const keys = keysOf(path, request.keys)
        if (isRefused(keys)) return done(keys)
        const listened: typeof done = (result) => done(isRefused(result) ? result : { ...result, keys })
        return device.perform({ ...request, keys }, listened, event)
      }
      if (request.do !== 'keys') return device.perform(request, done, event)
      const { keys } = request
      device.perform(
        request,
        (result) => {
          const kept = isRefused(result) || path === undefined ? result : keep(path, keys)
          done(isRefused(kept) ? kept : {})
        },
        event,
      )
    },
  }
}

type Gossip = Device<GossipRequest, GossipOutcome, GossipEvent>

/** Those of the file, or else those given, which are kept from now on. */
function keysOf(path: string | undefined, given: readonly string[]): Result<string[]> {
  if (path === undefined) return [...given]
  if (existsSync(path)) return read(path)
  const kept = given.length === 0 ? null : keep(path, given)
  return isRefused(kept) ? kept : [...given]
}

function read(path: string): Result<string[]> {
  try {
    const keys: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (!Array.isArray(keys)) return refuse('conflict', `${path} holds no list of keys`)
    for (const [at, key] of keys.entries()) {
      const fault = typeof key === 'string' ? readGossipKey(key) : 'it is no text'
      if (typeof fault === 'string') return refuse('conflict', `${path} holds no key at position ${at}: ${fault}`)
    }
    return keys
  } catch (error) {
    return refuse('conflict', `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function keep(path: string, keys: readonly string[]): Result<null> {
  try {
    makeDirectory(dirname(path), DIRECTORY_MODE)
    const incomplete = `${path}.new`
    writeFileSync(incomplete, `${JSON.stringify(keys, undefined, 2)}\n`, { mode: FILE_MODE, flush: true })
    renameSync(incomplete, path)
    syncDirectory(dirname(path))
    return null
  } catch (error) {
    return refuse('busy', `the keys are not kept: ${error instanceof Error ? error.message : String(error)}`)
  }
}
