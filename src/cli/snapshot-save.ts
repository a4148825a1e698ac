import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { isRefused } from '../kernel/refusal.ts'
import { openSnapshot } from '../snapshot/read.ts'
import { defineApiCommand } from './api-command.ts'
import { fileProblem } from './http-settings.ts'

export const snapshotSaveCommand = defineApiCommand({
  summary: 'Save the state of the servers into a file',
  usage: 'snapshot save [options] FILE',
  about: `
Saves one moment of everything that the servers keep: keys, sessions, the catalog, intentions and the certificate authority. The file has private keys in it, so only its owner can read it.

    $ tribune snapshot save backup.snap

What was received is verified before the file gets its name. With -stale, the server that is asked saves what it knows, even if the others cannot be reached.
`,
  answers: 'servers',
  flags: {},
  async run({ rest, io, http, fail }) {
    const [path = ''] = rest
    if (path === '') return fail('Missing FILE argument')
    if (rest.length > 1) return fail(`Too many arguments (expected 1, got ${rest.length})`)
    const unverified = `${path}.unverified`
    try {
      const into = () => createWriteStream(unverified, { mode: 0o600 })
      const reply = await http.request('GET', '/v1/snapshot', { into })
      if (isRefused(reply)) return fail(`Error saving snapshot: ${reply.why}`)
      const snapshot = await openSnapshot(unverified)
      if (isRefused(snapshot)) return fail(`Error verifying snapshot file: ${snapshot.why}`)
      await rename(unverified, path)
      io.out(`Saved and verified snapshot to index ${snapshot.header.index}`)
      return 0
    } catch (error) {
      return fail(`Error saving snapshot: ${fileProblem(path, error)}`)
    } finally {
      await rm(unverified, { force: true })
    }
  },
})
