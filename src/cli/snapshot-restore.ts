import { createReadStream, statSync } from 'node:fs'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { fileProblem } from './http-settings.ts'

export const snapshotRestoreCommand = defineApiCommand({
  summary: 'Put a saved state in the place of the present one',
  usage: 'snapshot restore [options] FILE',
  about: `
Replaces everything that the servers keep by what a file has from "snapshot save", in one step. What has changed since is lost. Agents register their own services and checks again by themselves.

    $ tribune snapshot restore backup.snap
`,
  answers: 'servers',
  flags: {},
  async run({ rest, io, http, fail }) {
    const [path = ''] = rest
    if (path === '') return fail('Missing FILE argument')
    if (rest.length > 1) return fail(`Too many arguments (expected 1, got ${rest.length})`)
    const bytes = sizeOf(path)
    if (typeof bytes === 'string') return fail(`Error opening snapshot file: ${bytes}`)
    const reply = await http.request('PUT', '/v1/snapshot', { bodyStream: { stream: createReadStream(path), bytes } })
    if (isRefused(reply)) return fail(`Error restoring snapshot: ${reply.why}`)
    io.out('Restored snapshot')
    return 0
  },
})

function sizeOf(path: string): number | string {
  try {
    const found = statSync(path)
    return found.isDirectory() ? `read ${path}: is a directory` : found.size
  } catch (error) {
    return fileProblem(path, error)
  }
}
