import { randomBytes } from 'node:crypto'
import { defineCommand } from './command.ts'

const KEY_BYTES = 32

export const keygenCommand = defineCommand({
  summary: 'Make a key that encrypts the traffic between agents',
  usage: 'keygen',
  about: `
Prints a new random key of 32 bytes in Base64. All agents of a cluster need the same one in their configuration, under "encrypt".

    $ tribune keygen
`,
  flags: {},
  run({ rest, io, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    io.out(randomBytes(KEY_BYTES).toString('base64'))
    return 0
  },
})
