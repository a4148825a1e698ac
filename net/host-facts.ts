import { statfsSync } from 'node:fs'
import os from 'node:os'

/** Facts about the machine as `/v1/agent/host` shows them: sizes in bytes, times in seconds. `path` says which disk. */
export function hostFacts(path: string): Record<string, unknown> {
  const errors: string[] = []
  const disk = diskFacts(path, errors)
  const total = os.totalmem()
  const free = os.freemem()
  return {
    Memory: { total, available: free, used: total - free, usedPercent: (100 * (total - free)) / total, free },
    CPU: os.cpus().map(({ model, speed }, cpu) => ({ cpu, vendorId: '', family: '', modelName: model, cores: 1, mhz: speed })),
    Host: {
      hostname: os.hostname(),
      uptime: Math.floor(os.uptime()),
      bootTime: Math.floor(Date.now() / 1_000 - os.uptime()),
      procs: 0,
      os: process.platform,
      platform: os.type(),
      platformFamily: '',
      platformVersion: os.version(),
      kernelVersion: os.release(),
      kernelArch: os.machine(),
      virtualizationSystem: '',
      virtualizationRole: '',
      hostId: '',
    },
    Disk: disk,
    CollectionTime: BigInt(Date.now()) * 1_000_000n,
    Errors: errors.length === 0 ? null : errors,
  }
}

function diskFacts(path: string, errors: string[]): object | null {
  try {
    const { type, bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path)
    const [total, free, used] = [blocks * bsize, bavail * bsize, (blocks - bfree) * bsize]
    return {
      path,
      fstype: `0x${type.toString(16)}`,
      total,
      free,
      used,
      usedPercent: used + free === 0 ? 0 : (100 * used) / (used + free),
      inodesTotal: files,
      inodesUsed: files - ffree,
      inodesFree: ffree,
      inodesUsedPercent: files === 0 ? 0 : (100 * (files - ffree)) / files,
    }
  } catch (error) {
    errors.push(error instanceof Error ? error.message : String(error))
    return null
  }
}
