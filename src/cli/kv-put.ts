import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import type { FlagsOf, FlagTable } from './command.ts'
import type { HttpParams } from './http.ts'
import { argumentData } from './kv-data.ts'

const putFlags = {
  acquire: {
    kind: 'boolean',
    about:
      'Take the lock on the key for the session in -session. The key is made if it does not exist. Nothing is written if somebody else holds it.',
  },
  base64: { kind: 'boolean', about: 'DATA is Base64; what it stands for is written.' },
  cas: {
    kind: 'boolean',
    about: 'Write only if the entry is still at -modify-index. An index of 0, which is the default, means that the key must not exist.',
  },
  flags: {
    kind: 'uint64',
    value: 'uint',
    about: 'A number of up to 64 bits to keep with the value. It means whatever its users agree on.',
  },
  'modify-index': { kind: 'uint', about: 'The index of the last change, for -cas.' },
  release: { kind: 'boolean', about: 'Give the lock on the key back that the session in -session holds.' },
  session: { kind: 'string', about: 'ID of the session for -acquire and -release.' },
} as const satisfies FlagTable

export const kvPutCommand = defineApiCommand({
  summary: 'Write the value of a key',
  usage: 'kv put [options] KEY [DATA]',
  about: `
Writes a value under a key and replaces the one before. Without DATA the value is empty.

    $ tribune kv put config/limit 5

DATA can come from a file or from standard input. A backslash before "@" or "-" means the character itself.

    $ tribune kv put config/program @program.json
    $ tribune kv put config/program - < program.json
    $ tribune kv put config/sign \\-

To change a value only if nobody else has changed it since, give the index at which it was read:

    $ tribune kv put -cas -modify-index=844 config/limit 6
`,
  answers: 'servers',
  namespaced: true,
  flags: putFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    const [key = '', text = ''] = rest
    if (rest.length > 2) return misused(`Error! Too many arguments (expected 1 or 2, got ${rest.length})`)
    if (key === '') return misused('Error! Missing KEY argument')
    if ((flags.acquire || flags.release) && !flags.session) return misused('Error! Missing -session (required with -acquire and -release)')
    if ([flags.acquire, flags.release, flags.cas].filter(Boolean).length > 1) {
      return misused('Error! Only one of -acquire, -release and -cas may be given')
    }
    const data = await argumentData(text, io)
    if (isRefused(data)) return fail(`Error! ${data.why}`)
    if (flags.base64 && !BASE64.test(data.value.toString('latin1').trim()))
      return fail('Error! Cannot base 64 decode data: illegal base64 data')
    const value = flags.base64 ? Buffer.from(data.value.toString('latin1'), 'base64') : data.value
    const words = wordsOf(flags, key)
    if (key.startsWith('/')) return fail(`${words.failed}: Invalid key. Key must not begin with a '/': ${key}`)
    const params: HttpParams = { flags: flags.flags ? String(flags.flags) : undefined, ...conditionOf(flags) }
    const reply = await http.request('PUT', `/v1/kv/${key}`, { params, body: value })
    if (isRefused(reply)) return fail(`${words.failed}: ${reply.why}`)
    if (reply.body.toString('utf8').trim() !== 'true') return fail(words.refused)
    io.out(words.done)
    return 0
  },
})

const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/

function conditionOf(flags: FlagsOf<typeof putFlags>): HttpParams {
  if (flags.cas) return { cas: String(flags['modify-index'] ?? 0) }
  if (flags.acquire) return { acquire: flags.session }
  return flags.release ? { release: flags.session } : {}
}

function wordsOf(flags: FlagsOf<typeof putFlags>, key: string): { done: string; refused: string; failed: string } {
  const failed = 'Error! Failed writing data'
  if (flags.cas) {
    const why = flags['modify-index'] ? 'CAS failed' : 'CAS performed with index=0 and key already exists.'
    return {
      done: `Success! Data written to: ${key}`,
      refused: `Error! Did not write to ${key}: ${why}`,
      failed: `Error! Did not write to ${key}`,
    }
  }
  if (flags.acquire) return { done: `Success! Lock acquired on: ${key}`, refused: 'Error! Did not acquire lock', failed }
  if (flags.release) return { done: `Success! Lock released on: ${key}`, refused: 'Error! Did not release lock', failed }
  return { done: `Success! Data written to: ${key}`, refused: `Error! Did not write to ${key}`, failed }
}
