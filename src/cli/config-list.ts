import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

export const configListCommand = defineApiCommand({
  summary: 'List the config entries of a kind',
  usage: 'config list [options] -kind KIND',
  about: `
Prints the names of all config entries of a kind, one a line.

    $ tribune config list -kind service-defaults
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    kind: { kind: 'string', about: 'The kind of the entries. Must be given.' },
    ...listFormatFlags,
  },
  async run({ flags: { kind = '', format }, io, http, fail }) {
    if (kind === '') return fail('Must specify the -kind parameter')
    const asJson = wantsJson(format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<{ Name: string }[]>(`/v1/config/${kind}`)
    if (isRefused(reply)) return fail(`Error listing config entries for kind ${JSON.stringify(kind)}: ${reply.why}`)
    if (asJson) io.out(listJson(reply.value))
    else for (const { Name } of reply.value) io.out(Name)
    return 0
  },
})
