import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { parseJson } from './http.ts'

const ABORT = '/v1/tribune/connect/ca/abort'

export const connectCaAbortCommand = defineApiCommand({
  summary: 'Go back to the root certificate before the last change',
  usage: 'connect ca abort [options]',
  about: `
Ends a change of the root certificate that is under way: the former root signs again, with its configuration. That works for as long as the former root is trusted; "connect ca status" tells.

    $ tribune connect ca abort
`,
  answers: 'servers',
  flags: {},
  async run({ rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const reply = await http.request('PUT', ABORT)
    if (isRefused(reply)) return fail(`Error aborting the rotation: ${reply.why}`)
    const answer = parseJson<{ ActiveRootID: string }>(reply.body.toString('utf8'), ABORT)
    if (isRefused(answer)) return fail(`Error aborting the rotation: ${answer.why}`)
    io.out(`Rotation aborted! The active root is ${answer.value.ActiveRootID}`)
    return 0
  },
})
