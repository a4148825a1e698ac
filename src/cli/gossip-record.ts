import { writeFileSync } from 'node:fs'
import { formatDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'

const FOR_MS = 60_000

export const gossipRecordCommand = defineApiCommand({
  summary: 'Record all that an agent hears and does about members',
  usage: 'gossip record [options] FILE',
  about: `
Has the agent write down for a while every message, timer and outcome that its membership gets, and what comes of it. The file is written when the time is over, after at most ten minutes, or when there are 8 MB. It can be played again without any agent: see gossip replay.

    $ tribune gossip record -for=30s gossip.jsonl

Keys of the network are not in it. Names, addresses, tags and events that users sent are: look into it before you give it away.
`,
  answers: 'agent',
  flags: {
    for: { kind: 'duration', about: 'How long to record: 1m0s if not given, at most 10m0s.' },
    wan: { kind: 'boolean', about: 'About the servers of all datacenters, at a server.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    const [file] = rest
    if (file === undefined || rest.length > 1) return misused(`expected 1 argument, got ${rest.length}`)
    const forMs = flags.for ?? FOR_MS
    const { signal } = io
    const params = { for: formatDuration(forMs), ...(flags.wan && { wan: '1' }) }
    const reply = await http.request('PUT', '/v1/tribune/gossip/record', { params, ...(signal && { signal }) })
    if (isRefused(reply)) return fail(signal?.aborted ? 'Interrupted: nothing was written' : `Error recording gossip: ${reply.why}`)
    try {
      writeFileSync(file, reply.body)
    } catch (error) {
      return fail(`Error writing the recording: ${error instanceof Error ? error.message : String(error)}`)
    }
    const lines = reply.body.toString('utf8').split('\n').length - 1
    // The first line and the last one are about the recording.
    io.out(`Recorded ${lines - 2} inputs (${reply.body.length} bytes) in ${file}`)
    if (reply.headers['x-tribune-ended'] === 'full') io.err('There was no room for more: it ended before its time')
    return 0
  },
})
