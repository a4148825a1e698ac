import type { FlagTable } from './command.ts'

/** For commands that list things. */
export const listFormatFlags = {
  format: {
    kind: 'string',
    values: ['json', 'table'],
    about: 'How to print the answer: "table" for people, which is the default, or "json" for programs.',
  },
} as const satisfies FlagTable

/** Whether JSON is wanted, or what is wrong with the flag. */
export function wantsJson(format: string | undefined): boolean | { problem: string } {
  if (format === undefined || format === 'table' || format === 'pretty') return false
  if (format === 'json') return true
  return { problem: `Unknown format: ${format}` }
}

/** JSON as lists are printed: indented by four spaces. */
export function listJson(value: unknown): string {
  return JSON.stringify(value, undefined, 4)
}
