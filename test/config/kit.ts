import type { ExecutionContext } from 'ava'
import { type Config, hostInMemory, loadConfig, parseAgentFlags } from '../../src/config/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'

export type Files = Readonly<Record<string, string>>

/** What the arguments and files of a machine at 10.0.0.5 give: a configuration, or the text of the refusal. */
export function loaded(args: readonly string[], files: Files = {}, address = '10.0.0.5'): { config: Config; warnings: string[] } | string {
  const parsed = parseAgentFlags(args)
  if ('error' in parsed) return parsed.error
  const result = loadConfig({ flags: parsed.flags, host: hostInMemory(files, 'n1', address) })
  return isRefused(result) ? result.why : result
}

/** The configuration, which must hold. */
export function configOf(t: ExecutionContext, args: readonly string[], files: Files = {}): Config {
  const result = loaded(args, files)
  if (typeof result !== 'string') return result.config
  t.log(result)
  throw new Error(`broken promise: the configuration holds: ${result}`)
}

/** The text of the refusal of a development agent with this file; '' if it was accepted. */
export function refusalOf(file: string, text: string, args: readonly string[] = ['-dev']): string {
  const result = loaded([...args, '-config-file', file], { [file]: text })
  return typeof result === 'string' ? result : ''
}
