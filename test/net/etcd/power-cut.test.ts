import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { realClock } from '../../../net/clock.ts'
import { connectEtcd } from '../../../net/etcd/client.ts'
import { etcdKeys } from '../../../net/etcd/keys.ts'
import { etcdLog } from '../../../net/etcd/log.ts'
import { type OpenTables, openTables } from '../../../net/tables.ts'
import type { LogOutcome } from '../../../src/kernel/ports.ts'
import { isRefused, type Result } from '../../../src/kernel/refusal.ts'
import { appliedPosition } from '../../../src/replica.ts'
import { type RunningEtcd, startEtcd } from '../../kit/etcd.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'
import { type Add, applyAdds, history } from '../../ports/log-arms.ts'

const PAGE_BYTES = 4_096

test('what was answered survives a power cut of the server that answered: its log brings it again into the tables of the last checkpoint', async (t) => {
  const etcd = await startEtcd(t)
  const directory = temporaryDirectory(t)
  const server = startServer(t, etcd, openTables(directory, { durable: 'later', boot: 'first' }))
  const lost = temporaryDirectory(t)
  let [kept, old, before, added] = [0, Buffer.alloc(0), Buffer.alloc(0), 0]
  do {
    await server.add({ key: 'a', n: 1 })
    await new Promise<void>((resolve) => server.tables.checkpoint(() => resolve()))
    kept = appliedPosition(server.tables.view())
    old = readFileSync(join(directory, 'data.mdb'))
    before = readFileSync(join(directory, 'checkpoint'))
    for (let n = 20; n < 40; n++) await server.add({ key: `b${added++}`, n })
    for (const file of ['data.mdb', 'checkpoint', 'format']) copyFileSync(join(directory, file), join(lost, file))
    // Until the server has made none meanwhile.
  } while (!readFileSync(join(lost, 'checkpoint')).equals(before))
  // Of what was written since, every other page has reached the disk.
  const data = readFileSync(join(lost, 'data.mdb'))
  for (let at = 0; at < old.length; at += 2 * PAGE_BYTES) data.set(old.subarray(at, at + PAGE_BYTES), at)
  writeFileSync(join(lost, 'data.mdb'), data)
  const known = history(server.tables.view())
  await server.end()

  const tables = openTables(lost, { durable: 'later', boot: 'second' })
  t.is(appliedPosition(tables.view()), kept)
  t.deepEqual(history(tables.view()), known.slice(0, kept))
  const again = startServer(t, etcd, tables)
  t.is(await again.add({ key: 'last', n: 1 }), 1)
  t.deepEqual(history(tables.view()), [...known, 'last+1'])
  await again.end()
})

function startServer(t: ExecutionContext, { endpoint }: RunningEtcd, tables: OpenTables) {
  const log = etcdLog({
    etcd: connectEtcd({ endpoints: [endpoint], files: {} }),
    keys: etcdKeys('dc1'),
    id: 'n1',
    holdMs: 5_000,
    tables,
    apply: applyAdds,
    onCommitted: () => undefined,
    clock: realClock,
    print: () => undefined,
    leads: () => [],
    failed: (error) => t.fail(String(error)),
  })
  return {
    tables,
    /** The sum after an addition. */
    async add(command: Add): Promise<unknown> {
      const outcome = await new Promise<Result<LogOutcome>>((resolve) => log.perform({ commands: [command] }, resolve, () => undefined))
      return isRefused(outcome) ? outcome : outcome.outcomes[0]
    },
    async end() {
      await log.close()
      tables.close()
    },
  }
}
