import { existsSync, writeFileSync } from 'node:fs'
import type { issueAgentCertificate, issueAuthority } from '../../net/agent-certificates.ts'
import { type Result, refuse } from '../kernel/refusal.ts'
import { fileProblem } from './http-settings.ts'

/** Makes certificates. Loaded only where they are made. */
export async function certificateMaker(): Promise<{
  issueAuthority: typeof issueAuthority
  issueAgentCertificate: typeof issueAgentCertificate
}> {
  return import('../../net/agent-certificates.ts')
}

/** Lifetimes in days that a certificate can have: from a day to about 100 years. */
export const DAYS_MAX = 36_500

/** The name of a domain or a part of one, as it stands in a file's name and a certificate. */
export function nameFault(flag: string, text: string): string | undefined {
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/.test(text) && !text.includes('..')
    ? undefined
    : `-${flag} ${JSON.stringify(text)} is not a name for DNS`
}

export function daysFault(days: number): string | undefined {
  return days >= 1 && days <= DAYS_MAX ? undefined : `-days must be from 1 to ${DAYS_MAX}, got ${days}`
}

export function exists(path: string): boolean {
  return existsSync(path)
}

/** Writes a new file; one that is there already is refused. A key is for its owner's eyes only. */
export function saveNew(path: string, text: string, { secret }: { secret: boolean }): Result<null> {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: secret ? 0o600 : 0o644 })
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    return refuse('conflict', code === 'EEXIST' ? `${path} already exists.` : fileProblem(path, error))
  }
}
