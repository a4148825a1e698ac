import type { Invariant } from './invariant.ts'

export const readersMissNothing: Invariant = {
  name: 'readers-miss-nothing',
  sentence: 'whoever waits for a change of what was read is woken by it',
  when: 'rest',
  broken(run) {
    for (const reader of run.readers) {
      const now = reader.look()
      if (now !== undefined && now !== reader.last)
        return `the reader of ${reader.key} on ${reader.node} last saw ${reader.last}, there is ${now}`
    }
    return undefined
  },
}
