import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { withoutLeadingSlash } from './kv-pairs.ts'

export const kvDeleteCommand = defineApiCommand({
  summary: 'Delete a key, or all keys with a prefix',
  usage: 'kv delete [options] KEY_OR_PREFIX',
  about: `
Deletes a key. A key that does not exist is fine.

    $ tribune kv delete config/limit

With -recurse it deletes all keys that begin with the argument, and without an argument all keys there are.

    $ tribune kv delete -recurse config/

With -cas it deletes the key only if it is still at the given index.

    $ tribune kv delete -cas -modify-index=844 config/limit
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    cas: { kind: 'boolean', about: 'Delete only if the entry is still at -modify-index.' },
    'modify-index': { kind: 'uint', about: 'The index of the last change, for -cas.' },
    recurse: { kind: 'boolean', about: 'Delete all keys that begin with the argument.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 1) return misused(`Too many arguments (expected 1, got ${rest.length})`)
    const key = withoutLeadingSlash(rest[0] ?? '')
    if (key === '' && !flags.recurse) return misused('Error! Missing KEY argument')
    if (flags.cas && flags.recurse) return misused('Only one of -cas and -recurse may be given')
    if (flags.cas && !flags['modify-index']) {
      return misused('Cannot delete a key that does not exist. Provide a -modify-index greater than than 0.')
    }
    if (!flags.cas && flags['modify-index'] !== undefined) return misused('-modify-index has a meaning only together with -cas')
    const params = { recurse: flags.recurse ? '' : undefined, cas: flags.cas ? String(flags['modify-index']) : undefined }
    const reply = await http.request('DELETE', `/v1/kv/${key}`, { params })
    if (isRefused(reply)) return fail(`Error! Did not delete ${flags.recurse ? 'prefix' : 'key'} ${key}: ${reply.why}`)
    if (reply.body.toString('utf8').trim() !== 'true') return fail(`Error! Did not delete key ${key}: CAS failed`)
    io.out(flags.recurse ? `Success! Deleted keys with prefix: ${key}` : `Success! Deleted key: ${key}`)
    return 0
  },
})
