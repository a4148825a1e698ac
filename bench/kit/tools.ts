import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Programs that make load or stand beside ours, with the Debian package that has each. */
const PACKAGES = { wrk: 'wrk', dnsperf: 'dnsperf', curl: 'curl', haproxy: 'haproxy', openssl: 'openssl', etcd: 'etcd-server' } as const
export type Tool = keyof typeof PACKAGES

/** Where packages put programs of administrators, who have them on their PATH and nobody else has. */
const MORE_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The program's path; undefined where it is not installed. */
export function pathOf(tool: Tool): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...MORE_FOLDERS]
  return folders.map((folder) => join(folder, tool)).find(isProgram)
}

/** How to get it. */
export function howToInstall(tools: readonly Tool[]): string {
  return `apt-get install ${tools.map((tool) => PACKAGES[tool]).join(' ')}`
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false
    throw error
  }
}
