import { chmodSync, chownSync, readFileSync } from 'node:fs'
import type { UnixSocketsConfig } from '../../src/config/config.ts'
import { isRefused, type Result, refuse } from '../../src/kernel/refusal.ts'

/** Gives a socket to a user and a group, by name or number, and sets its mode in octal; '' leaves what it is. */
export function own(path: string, { user, group, mode }: UnixSocketsConfig): Result<null> {
  const userId = user === '' ? process.getuid?.() : idOf(user, 'user', '/etc/passwd')
  if (isRefused(userId)) return userId
  const groupId = group === '' ? process.getgid?.() : idOf(group, 'group', '/etc/group')
  if (isRefused(groupId)) return groupId
  if (!/^[0-7]{0,4}$/.test(mode)) return refuse('invalid', `invalid mode specified: ${mode}`)
  try {
    if ((user !== '' || group !== '') && userId !== undefined && groupId !== undefined) chownSync(path, userId, groupId)
  } catch (error) {
    return refuse('forbidden', `failed setting ownership to ${userId}:${groupId} on ${JSON.stringify(path)}: ${reasonOf(error)}`)
  }
  try {
    if (mode !== '') chmodSync(path, Number.parseInt(mode, 8))
  } catch (error) {
    return refuse('forbidden', `failed setting permissions to ${mode} on ${JSON.stringify(path)}: ${reasonOf(error)}`)
  }
  return null
}

/** The number of a user or group; `file` has a line for each, with its name, a password and its number. */
function idOf(written: string, what: string, file: string): Result<number> {
  if (/^\d+$/.test(written)) return Number(written)
  const invalid = refuse('invalid', `invalid ${what} specified: ${written}`)
  let lines: string
  try {
    lines = readFileSync(file, 'utf8')
  } catch (error) {
    return refuse('invalid', `${invalid.why}: ${reasonOf(error)}`)
  }
  const line = lines.split('\n').find((one) => one.startsWith(`${written}:`))
  return line === undefined ? invalid : Number(line.split(':')[2])
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
