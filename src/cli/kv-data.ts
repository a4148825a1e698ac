import { readFile } from 'node:fs/promises'
import { type Result, refuse } from '../kernel/refusal.ts'
import { fileProblem } from './http-settings.ts'
import type { Io } from './io.ts'

/** Data from the command line: `@file`, `-` for standard input, `\-` and `\@` for text that begins so, or the text itself. */
export async function argumentData(text: string, io: Io): Promise<Result<{ value: Buffer }>> {
  if (text === '-') return { value: await io.stdin() }
  if (text.startsWith('@')) return readData(text.slice(1))
  return { value: Buffer.from(/^\\[-@]/.test(text) ? text.slice(1) : text) }
}

export async function readData(path: string): Promise<Result<{ value: Buffer }>> {
  try {
    return { value: await readFile(path) }
  } catch (error) {
    return refuse('missing', `Failed to read file: ${fileProblem(path, error)}`)
  }
}
