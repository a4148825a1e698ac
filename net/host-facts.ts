import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import os from 'node:os'

/**
 * Facts about the machine as `/v1/agent/host` shows them: sizes in bytes, times in seconds. `path` says which disk. What the system
 * does not tell is '' or 0, and among `Errors` if it should have.
 */
export function hostFacts(path: string): Record<string, unknown> {
  const errors: string[] = []
  return {
    Memory: memoryFacts(),
    CPU: cpuFacts(),
    Host: systemFacts(),
    Disk: diskFacts(path, errors),
    CollectionTime: BigInt(Date.now()) * 1_000_000n,
    Errors: errors.length === 0 ? null : errors,
  }
}

function memoryFacts(): Record<string, number> {
  const given = pairsIn(textOf('/proc/meminfo'), ':')
  const bytes = (name: string) => Number.parseInt(given.get(name) ?? '', 10) * 1_024 || 0
  const total = os.totalmem()
  const available = os.freemem()
  const free = bytes('MemFree') || available
  const [buffers, cached] = [bytes('Buffers'), bytes('Cached') + bytes('SReclaimable')]
  const used = Math.max(0, total - free - buffers - cached)
  const swap = { swaptotal: bytes('SwapTotal'), swapfree: bytes('SwapFree') }
  return { total, available, used, usedPercent: (100 * used) / total, free, buffers, cached, ...swap }
}

function cpuFacts(): object[] {
  const blocks = textOf('/proc/cpuinfo').split('\n\n')
  return os.cpus().map(({ model, speed }, cpu) => {
    const told = pairsIn(blocks[cpu] ?? '', ':')
    return {
      cpu,
      vendorId: told.get('vendor_id') ?? '',
      family: told.get('cpu family') ?? '',
      model: told.get('model') ?? '',
      stepping: Number.parseInt(told.get('stepping') ?? '', 10) || 0,
      physicalId: told.get('physical id') ?? '',
      coreId: told.get('core id') ?? '',
      cores: 1,
      modelName: model,
      mhz: Number.parseFloat(told.get('cpu MHz') ?? '') || speed,
      cacheSize: Number.parseInt(told.get('cache size') ?? '', 10) || 0,
      flags: (told.get('flags') ?? '').split(' ').filter((flag) => flag !== ''),
      microcode: told.get('microcode') ?? '',
    }
  })
}

function systemFacts(): object {
  const release = pairsIn(textOf('/etc/os-release'), '=')
  const platform = release.get('ID') ?? process.platform
  const uptime = Math.floor(os.uptime())
  return {
    hostname: os.hostname(),
    uptime,
    bootTime: Math.floor(Date.now() / 1_000) - uptime,
    procs: processes(),
    os: process.platform,
    platform,
    platformFamily: release.get('ID_LIKE')?.split(' ')[0] ?? platform,
    platformVersion: release.get('VERSION_ID') ?? '',
    kernelVersion: os.release(),
    kernelArch: os.machine(),
    virtualizationSystem: '',
    virtualizationRole: '',
    hostId: textOf('/etc/machine-id').trim(),
  }
}

function processes(): number {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length
  } catch {
    // Only Linux has such a list.
    return 0
  }
}

/** File systems by the number with which Linux names them. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext2/ext3',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
  801189825: 'zfs',
  4076150800: 'f2fs',
}

function diskFacts(path: string, errors: string[]): object | null {
  try {
    const { type, bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path)
    const [total, free, used] = [blocks * bsize, bavail * bsize, (blocks - bfree) * bsize]
    return {
      path,
      fstype: FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`,
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

/** '' where there is no such file: not every system has it. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** The lines of a text that have a name and a value, without quotation marks around these. */
function pairsIn(text: string, separator: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line.includes(separator))
  return new Map(
    lines.map((line) => {
      const at = line.indexOf(separator)
      return [
        line.slice(0, at).trim(),
        line
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/, '$1'),
      ]
    }),
  )
}
