import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { readData } from './kv-data.ts'

export const loginCommand = defineApiCommand({
  summary: 'Get a token for what another system knows you by',
  usage: 'login [options]',
  about: `
Shows an auth method a bearer token of another system and writes the token that it gives for it to a file. Agents that do not have access control lists answer that ACL support is disabled.

    $ tribune login -method=kubernetes -bearer-token-file=jwt -token-sink-file=token
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    'bearer-token-file': { kind: 'string', about: 'File with the token of the other system. Must be given.' },
    meta: { kind: 'pairs', about: 'A note of the form key=value to keep with the token. May be repeated.' },
    method: { kind: 'string', about: 'Name of the auth method. Must be given.' },
    'token-sink-file': { kind: 'string', about: 'File for the token that is given. Must be given.' },
    type: { kind: 'string', about: 'Type of the auth method. Without it, that of the method counts.' },
  },
  async run({ flags, rest, http, fail, misused }) {
    if (rest.length > 0) return misused('Should have no non-flag arguments.')
    for (const name of ['method', 'token-sink-file', 'bearer-token-file'] as const) {
      if (!flags[name]) return misused(`Missing required '-${name}' flag`)
    }
    const bearer = await readData(flags['bearer-token-file'] ?? '')
    if (isRefused(bearer)) return fail(bearer.why)
    const text = bearer.value.toString('utf8').trim()
    if (text === '') return fail(`No bearer token found in ${flags['bearer-token-file']}`)
    const probe = await http.request('GET', '/v1/acl/tokens')
    if (isRefused(probe)) return fail(`Error logging in: ${probe.why}`)
    return fail('Error logging in: the agent has ACLs, with which this program cannot log in')
  },
})
