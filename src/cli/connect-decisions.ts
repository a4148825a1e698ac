import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import { type HttpClient, parseJson } from './http.ts'

/** One row of /v1/tribune/decisions. */
export type Decision = {
  Side: string
  Source: string
  Destination: string
  Kind: string
  Cause: string
  Count: number
  First: string
  Last: string
  Newest: { At: string; URI: string; SerialNumber: string; From: string }[]
  Index: number
}

/** How long one look waits for something new. */
const LOOK = '60s'

export const connectDecisionsCommand = defineApiCommand({
  summary: 'Show connections that were refused, and why',
  usage: 'connect decisions [options]',
  about: `
Prints who was refused by the sidecars of the agent, by proxies and applications that tell it, and by its authorization, one line for each pair of services and cause, the newest last. The agent keeps the newest ones until it ends.

    $ tribune connect decisions -source=web -destination=db

With -follow it goes on with a line for each that is added to, until it is interrupted.

    $ tribune connect decisions -follow
`,
  answers: 'agent',
  flags: {
    destination: { kind: 'string', about: 'Only connections to this service.' },
    follow: { kind: 'boolean', about: 'Go on with what comes.' },
    source: { kind: 'string', about: 'Only connections from this service, and those of which the source is not known.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const params = { source: flags.source, destination: flags.destination }
    let seen = 0
    while (!io.signal?.aborted) {
      const reply = await look(http, params, seen, io.signal)
      if (isRefused(reply)) return io.signal?.aborted ? 0 : fail(`Error reading the decisions: ${reply.why}`)
      // An agent that was started again counts anew.
      const fresh = reply.index < seen ? reply.decisions : reply.decisions.filter(({ Index }) => Index > seen)
      if (asJson) {
        if (!flags.follow) io.out(listJson(fresh))
        else for (const decision of fresh) io.out(JSON.stringify(decision))
      } else if (fresh.length > 0) io.out(flags.follow ? fresh.map(lineOf).join('\n') : table(fresh))
      if (!flags.follow) return 0
      seen = reply.index
    }
    return 0
  },
})

async function look(http: HttpClient, params: Record<string, string | undefined>, seen: number, signal: AbortSignal | undefined) {
  const waiting = seen === 0 ? {} : { index: String(seen), wait: LOOK }
  const reply = await http.request('GET', '/v1/tribune/decisions', { params: { ...params, ...waiting }, ...(signal && { signal }) })
  if (isRefused(reply)) return reply
  const body = parseJson<Decision[]>(reply.body.toString('utf8'), '/v1/tribune/decisions')
  return isRefused(body) ? body : { decisions: body.value, index: Number(reply.headers['x-consul-index'] ?? 0) }
}

function table(decisions: readonly Decision[]): string {
  const rows = decisions.map((decision) => [
    decision.Last,
    String(decision.Count),
    pairOf(decision),
    newestFrom(decision),
    causeOf(decision),
  ])
  return columns([['Last', 'Count', 'Connection', 'From', 'Why'], ...rows])
}

function lineOf(decision: Decision): string {
  const serial = decision.Newest.at(-1)?.SerialNumber ?? ''
  const from = newestFrom(decision)
  const facts = [from === '-' ? '' : ` from ${from}`, serial === '' ? '' : ` serial ${serial}`, ` (${decision.Count} so far)`]
  return `${decision.Last} ${pairOf(decision)}${facts.join('')}: ${causeOf(decision)}`
}

/** `web => db`; somebody who did not show who it is has no name. */
function pairOf({ Source, Destination }: Decision): string {
  return `${Source === '' ? '?' : Source} => ${Destination}`
}

function newestFrom({ Newest }: Decision): string {
  return Newest.at(-1)?.From || '-'
}

function causeOf({ Kind, Cause }: Decision): string {
  return `${Kind}: ${Cause}`
}
