import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { parseConfigInput } from './config-input.ts'
import { warn } from './intentions.ts'
import { readData } from './kv-data.ts'

export const configWriteCommand = defineApiCommand({
  summary: 'Create or change a config entry',
  usage: 'config write [options] FILE',
  about: `
Writes the config entry that a file says, in HCL or JSON. A "-" in place of the file means standard input.

    $ tribune config write web.hcl
    $ tribune config write -cas -modify-index=12 web.json
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    cas: { kind: 'boolean', about: 'Write only if the entry still has the index of -modify-index, or does not exist without one.' },
    'modify-index': { kind: 'uint', about: 'The index for -cas.' },
  },
  async run({ flags, rest, io, http, fail }) {
    const [file] = rest
    if (file === undefined || rest.length > 1)
      return fail('Must provide exactly one positional argument to specify the config entry to write')
    const data = file === '-' ? { value: await io.stdin() } : await readData(file)
    if (isRefused(data)) return fail(`Failed to load data: ${data.why}`)
    const input = parseConfigInput(data.value.toString('utf8'))
    if (isRefused(input)) return fail(`Failed to decode config entry input: ${input.why}`)
    const named = `${input.kind}/${input.name}`
    const params = { cas: flags.cas ? String(flags['modify-index'] ?? 0) : undefined }
    const reply = await http.request('PUT', '/v1/config', { params, body: input.body })
    if (isRefused(reply)) return fail(`Error writing config entry ${named}: ${reply.why}`)
    if (reply.body.toString('utf8').trim() !== 'true') return fail(`Config entry not updated: ${named}`)
    io.out(`Config entry written: ${named}`)
    warn(io, reply)
    return 0
  },
})
