import os from 'node:os'
import test from 'ava'
import { hostFacts } from '../../net/host-facts.ts'

type Facts = {
  Memory: { total: number; available: number; used: number; usedPercent: number; free: number }
  CPU: { cpu: number; vendorId: string; flags: string[]; mhz: number }[]
  Host: { hostname: string; procs: number; platform: string; bootTime: number; uptime: number }
  Disk: { path: string; fstype: string; total: number; free: number } | null
  CollectionTime: bigint
  Errors: string[] | null
}

test('facts about the machine are those of the system, and a disk that there is not is among the errors', (t) => {
  const { Memory, CPU, Host, Disk, CollectionTime, Errors } = hostFacts('/') as Facts
  t.is(Memory.total, os.totalmem())
  t.true(Memory.used > 0 && Memory.free <= Memory.total && Memory.used + Memory.free <= Memory.total)
  t.is(CPU.length, os.cpus().length)
  t.like(Host, { hostname: os.hostname() })
  t.true(Host.procs > 0 && Host.platform !== '' && Math.abs(Host.bootTime + Host.uptime - Date.now() / 1_000) < 5)
  t.true(Disk !== null && Disk.total >= Disk.free && Disk.fstype !== '')
  t.true(CollectionTime > 1_000_000_000n * 1_000_000_000n)
  t.is(Errors, null)

  const lost = hostFacts('/no such directory') as Facts
  t.is(lost.Disk, null)
  t.regex(String(lost.Errors), /ENOENT/)
})
