import { link, rm, stat } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from '../../actors/commands.ts'
import type { Devices, LogRequest, Ports, SnapshotOutcome, SnapshotRequest } from '../../src/kernel/ports.ts'
import { isRefused, type Refusal, type Result, refuse } from '../../src/kernel/refusal.ts'
import { copyTable, LOADED_COPY, type View } from '../../src/kernel/tables.ts'
import type { Etcd } from './client.ts'
import type { EtcdKeys } from './keys.ts'
import { clearReplaced, download, performed, upload } from './transfer.ts'

export type RestoreOptions = {
  etcd: Etcd
  keys: EtcdKeys
  snapshots: Devices['snapshots']
  tables: { view(): View }
  newPath(): string
  print: Ports['print']
  ended: AbortSignal
}

/** Snapshots that take the place of everything on all servers: each loads one before it applies the entry that names it. */
export type Restores = {
  /** The device of this server's actors: what it loads is there for the others, too, once it is answered. */
  readonly device: Devices['snapshots']
  /** Whether one of these commands names a snapshot. */
  takes(commands: LogRequest['commands']): boolean
  /** The id of the snapshot that has to be loaded before these commands are applied; undefined if there is none. */
  lacking(commands: LogRequest['commands']): string | undefined
  /** Loads what another server has put into etcd. Refused with `missing` if it is not there any more. */
  load(id: string): Promise<Refusal | undefined>
  /** An entry with these commands is visible here. */
  passed(commands: LogRequest['commands'], revision: number): void
}

/** For as long a server that was away finds what was restored in etcd, at the most; after it the others give it their tables. */
const LEASE_S = 3_600
const LOOK_EVERY_MS = 1_000
/** An etcd without room refuses everything: so much fits beside what it has, by its own defaults. */
const BYTES_MAX = 1024 ** 3

export function createRestores({ etcd, keys, snapshots, tables, newPath, print, ended }: RestoreOptions): Restores {
  /** By the id of a snapshot that this server has put into etcd. */
  const leases = new Map<string, bigint>()
  const perform = (request: SnapshotRequest) => performed(snapshots, request)

  async function publish(path: string): Promise<Result<SnapshotOutcome>> {
    const kept = newPath()
    try {
      await link(path, kept)
      const { size } = await stat(kept)
      if (size > BYTES_MAX) return refuse('invalid', `the snapshot has ${size} bytes, servers that share their log take ${BYTES_MAX}`)
      const loaded = await perform({ do: 'load', path })
      if (isRefused(loaded)) return loaded
      const lease = await etcd.grant(LEASE_S)
      if (isRefused(lease)) return lease
      const refusal = await upload(etcd, keys, loaded.id, lease.id, { ...loaded, path: kept })
      if (refusal) {
        await etcd.revoke(lease.id)
        return refusal
      }
      leases.set(loaded.id, lease.id)
      return loaded
    } finally {
      await rm(kept, { force: true })
      await rm(path, { force: true })
    }
  }

  /** Once every living server has the entry durably, nobody needs the snapshot any more. */
  async function forget(lease: bigint, revision: number): Promise<void> {
    while (!ended.aborted) {
      await pause(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined)
      const servers = await etcd.range(keys.servers)
      if (isRefused(servers) || servers.found.some(({ value }) => Number(value.toString()) < revision)) continue
      const revoked = await etcd.revoke(lease)
      if (isRefused(revoked)) print('debug', 'log', 'A snapshot stays in etcd until its time is over', { reason: revoked.why })
      return
    }
  }

  return {
    device: {
      perform(request, done, event) {
        if (request.do !== 'load') return snapshots.perform(request, done, event)
        publish(request.path).then(done, (error: unknown) => {
          done(refuse('busy', `the snapshot failed: ${error instanceof Error ? error.message : String(error)}`))
        })
      },
    },
    takes: (commands) => takenBy(commands) !== undefined,
    lacking(commands) {
      const taken = takenBy(commands)
      return taken === undefined || tables.view().get(copyTable, LOADED_COPY)?.id === taken ? undefined : taken
    },
    async load(id) {
      const given = await etcd.range({ key: keys.given(id) })
      if (isRefused(given)) return given
      const [found] = given.found
      if (!found) return refuse('missing', 'a snapshot that was restored is not in etcd any more')
      const { pieces } = JSON.parse(found.value.toString()) as { pieces: number }
      const path = newPath()
      const refusal = await download(etcd, keys, id, pieces, path)
      if (refusal) {
        await rm(path, { force: true })
        return refusal
      }
      const loaded = await perform({ do: 'load', path })
      if (isRefused(loaded)) return loaded
      print('info', 'log', 'A snapshot that another server restored was loaded', { sha256: loaded.id })
      return loaded.id === id ? undefined : refuse('missing', `another snapshot was in etcd under ${id}`)
    },
    passed(commands, revision) {
      const taken = takenBy(commands)
      if (taken === undefined) return
      void clearReplaced(snapshots, print)
      const lease = leases.get(taken)
      leases.delete(taken)
      if (lease !== undefined) void forget(lease, revision)
    },
  }
}

function takenBy(commands: LogRequest['commands']): string | undefined {
  for (const command of commands as readonly Command[]) if (command.kind === 'snapshots.take') return command.request.id
  return undefined
}
