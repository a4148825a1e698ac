import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { type CaPlan, planLines } from './ca-plan.ts'
import { parseJson } from './http.ts'
import { readData } from './kv-data.ts'

export const connectCaSetConfigCommand = defineApiCommand({
  summary: 'Change the configuration of the certificate authority',
  usage: 'connect ca set-config [options]',
  about: `
Replaces the configuration of the mesh's certificate authority by what a JSON file says. If that means another root certificate, services change over to it without a break.

    $ tribune connect ca set-config -config-file=ca.json

With -plan it only says what that would do, and whether it would be refused; the exit code is 1 then.

    $ tribune connect ca set-config -config-file=ca.json -plan
`,
  answers: 'servers',
  flags: {
    'config-file': { kind: 'string', about: 'File with the configuration, in the form of "connect ca get-config". Must be given.' },
    'force-without-cross-signing': {
      kind: 'boolean',
      about:
        'Change the root even if the old authority cannot sign the new one. It is only trusted at first, and signs once every sidecar that reports trusts it; other proxies get a minute.',
    },
    plan: { kind: 'boolean', about: 'Say what would happen and change nothing.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const path = flags['config-file']
    if (!path) return misused('The -config-file flag is required')
    const text = await readData(path)
    if (isRefused(text)) return fail(`Error reading config file: ${text.why}`)
    const configuration = parseConfiguration(text.value.toString('utf8'))
    if (isRefused(configuration)) return fail(`Error parsing config file: ${path}: ${configuration.why}`)
    const body = flags['force-without-cross-signing'] ? { ...configuration.value, ForceWithoutCrossSigning: true } : configuration.value
    const params = flags.plan ? { plan: '' } : {}
    const reply = await http.request('PUT', CONFIGURATION, { body, params })
    if (isRefused(reply)) return fail(`Error setting CA configuration: ${reply.why}`)
    if (flags.plan) {
      const plan = parseJson<CaPlan>(reply.body.toString('utf8'), CONFIGURATION)
      if (isRefused(plan)) return fail(`Error planning the change: ${plan.why}`)
      io.out(planLines(plan.value).join('\n'))
      return plan.value.Refused === '' ? 0 : 1
    }
    io.out('Configuration updated!')
    return 0
  },
})

const CONFIGURATION = '/v1/connect/ca/configuration'

/** What else is wrong with it is for the servers to say. */
function parseConfiguration(text: string): Result<{ value: object }> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return refuse('invalid', error instanceof Error ? error.message : String(error))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('invalid', 'must be an object with Provider and Config')
  return { value }
}
