import type { Host } from '../kernel/host.ts'

/** The next number under which a thread has something answered by another agent: HTTP and DNS share them. */
export function askNumber(host: Host): number {
  const number = (last.get(host) ?? 0) + 1
  last.set(host, number)
  return number
}

const last = new WeakMap<Host, number>()
