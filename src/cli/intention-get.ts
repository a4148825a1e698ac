import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { byteOrder, columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import type { HttpClient } from './http.ts'
import { destinationOf, findIntention, type Intention, noSuchIntention, sourceOf } from './intentions.ts'

export const intentionGetCommand = defineApiCommand({
  summary: 'Show one intention',
  usage: 'intention get [options] SRC DST\n       (or by ID: intention get [options] ID)',
  about: `
Prints everything about the intention for two services, or with an ID.

    $ tribune intention get web db
`,
  answers: 'servers',
  namespaced: true,
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    const [first, second] = rest
    if (first === undefined || rest.length > 2) return misused('Error: Must specify one argument, an ID, or two: source and destination')
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = second === undefined ? await byId(http, first) : await byServices(http, first, second)
    if (isRefused(reply)) return fail(reply.refused === 'missing' ? reply.why : `Error: ${reply.why}`)
    io.out(asJson ? listJson(reply.value) : description(reply.value))
    return 0
  },
})

async function byId(http: HttpClient, id: string): Promise<Result<{ value: Intention }>> {
  return http.json<Intention>(`/v1/connect/intentions/${id}`)
}

async function byServices(http: HttpClient, source: string, destination: string): Promise<Result<{ value: Intention }>> {
  const reply = await findIntention(http, source, destination)
  if (isRefused(reply)) return reply
  return reply.found === undefined ? refuse('missing', noSuchIntention(source, destination)) : { value: reply.found }
}

function description(intention: Intention): string {
  const permissions = intention.Permissions ?? []
  const meta = Object.entries(intention.Meta ?? {}).sort(([a], [b]) => byteOrder(a, b))
  const rows = [
    ['Source:', sourceOf(intention)],
    ['Destination:', destinationOf(intention)],
    ...(permissions.length > 0 ? [] : [['Action:', intention.Action ?? '']]),
    ...(intention.ID ? [['ID:', intention.ID]] : []),
    ...(intention.Description ? [['Description:', intention.Description]] : []),
    ...meta.map(([name, value]) => [`Meta[${name}]:`, value]),
    ...(intention.CreatedAt && !intention.CreatedAt.startsWith('0001-') ? [['Created At:', longDate(intention.CreatedAt)]] : []),
  ]
  return columns(rows) + (permissions.length > 0 ? `\nPermissions:\n${JSON.stringify(permissions, undefined, 2)}` : '')
}

/** RFC 850 in UTC: `Monday, 23-Nov-26 06:00:56 UTC`. Anything that is no date stays as it is. */
function longDate(text: string): string {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) return text
  const part = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat('en-US', { ...options, timeZone: 'UTC' }).format(date)
  const [, day = '', month = '', year = '', time = ''] = /^\w+, (\d+) (\w+) \d\d(\d\d) ([\d:]+)/.exec(date.toUTCString()) ?? []
  return `${part({ weekday: 'long' })}, ${day}-${month}-${year} ${time} UTC`
}
