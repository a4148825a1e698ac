import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { sayEnforced, waitFlag, waitParams } from './enforcement.ts'
import type { HttpClient, HttpReply } from './http.ts'
import { findIntention, type Intention, intentionText, splitName, warn } from './intentions.ts'
import { readData } from './kv-data.ts'

export const intentionCreateCommand = defineApiCommand({
  summary: 'Allow or deny connections from one service to another',
  usage: 'intention create [options] SRC DST\n       (or with -file: intention create -file [options] FILE...)',
  about: `
Makes an intention, which says whether the source service may connect to the destination. "*" stands for every service. Without a flag the connection is allowed.

    $ tribune intention create web db
    $ tribune intention create -deny "*" db

An intention for the same two services must not exist yet, unless -replace is given.

    $ tribune intention create -replace -deny web db

With -wait it says once every proxy of the destination has the change in force, and has closed the connections that it forbids; or which has not in time.

    $ tribune intention create -deny -wait=10s web db

With -file the arguments are JSON files, each with one intention in the form of the HTTP API.
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    allow: { kind: 'boolean', about: 'Allow the connection. This is the default.' },
    deny: { kind: 'boolean', about: 'Deny the connection.' },
    file: { kind: 'boolean', about: 'Read intentions from the files that are named.' },
    meta: { kind: 'pairs', about: 'A note of the form key=value to keep with the intention. May be repeated.' },
    replace: { kind: 'boolean', about: 'Replace an intention for the same services.' },
    ...waitFlag,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (flags.allow && flags.deny) return misused('Only one of -allow or -deny may be specified.')
    const intentions = flags.file
      ? await fromFiles(rest)
      : fromArguments(rest, { Action: flags.deny ? 'deny' : 'allow', ...(flags.meta === undefined ? {} : { Meta: flags.meta }) })
    if (isRefused(intentions)) return misused(`Error: ${intentions.why}`)
    let exitCode = 0
    for (const intention of intentions) {
      const done = await create(http, intention, flags.replace === true, waitParams(flags.wait))
      if (isRefused(done)) return fail(`Error creating intention ${JSON.stringify(intentionText(intention))}: ${done.why}`)
      if (done.created) io.out(`Created: ${intentionText(intention)}`)
      warn(io, done.reply)
      if (flags.wait === undefined) continue
      exitCode = Math.max(exitCode, await sayEnforced({ io, http, fail }, intention.DestinationName, done.reply))
    }
    return exitCode
  },
})

function fromArguments(args: readonly string[], rest: Pick<Intention, 'Action' | 'Meta'>): Result<Intention[]> {
  const [sourceText, destinationText] = args
  if (sourceText === undefined || destinationText === undefined || args.length !== 2) {
    return refuse('invalid', 'Must specify two arguments: source and destination')
  }
  const source = splitName(sourceText)
  if (isRefused(source)) return refuse('invalid', `Invalid intention source: ${source.why}`)
  const destination = splitName(destinationText)
  if (isRefused(destination)) return refuse('invalid', `Invalid intention destination: ${destination.why}`)
  return [
    {
      ...(source.namespace === undefined ? {} : { SourceNS: source.namespace }),
      SourceName: source.name,
      ...(destination.namespace === undefined ? {} : { DestinationNS: destination.namespace }),
      DestinationName: destination.name,
      ...rest,
    },
  ]
}

async function fromFiles(paths: readonly string[]): Promise<Result<Intention[]>> {
  if (paths.length === 0) return refuse('invalid', '-file needs at least one file')
  const intentions: Intention[] = []
  for (const path of paths) {
    const text = await readData(path)
    if (isRefused(text)) return text
    const intention = parseIntention(text.value.toString('utf8'))
    if (isRefused(intention)) return refuse('invalid', `${path}: ${intention.why}`)
    intentions.push(intention)
  }
  return intentions
}

/** What else is wrong with it is for the servers to say. */
function parseIntention(text: string): Result<Intention> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return refuse('invalid', error instanceof Error ? error.message : String(error))
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('invalid', 'must be one intention, an object')
  const { SourceName, DestinationName } = value as Record<string, unknown>
  if (typeof SourceName !== 'string') return refuse('invalid', 'SourceName must be a string')
  if (typeof DestinationName !== 'string') return refuse('invalid', 'DestinationName must be a string')
  return { ...value, SourceName, DestinationName }
}

/** `created` is false if one was replaced. Those with permissions have no ID, so they are written by the names of their services. */
async function create(
  http: HttpClient,
  intention: Intention,
  replace: boolean,
  wait: ReturnType<typeof waitParams>,
): Promise<Result<{ created: boolean; reply: HttpReply }>> {
  const body = { SourceType: 'consul', ...intention }
  const { SourceName: source, DestinationName: destination, Permissions: permissions = [] } = intention
  const exact = () => http.request('PUT', '/v1/connect/intentions/exact', { params: { source, destination, ...wait }, body })
  if (replace || permissions.length > 0) {
    const before = await findIntention(http, source, destination)
    if (isRefused(before)) return before
    if (before.found !== undefined) {
      if (!replace) return refuse('conflict', 'there is one for these services already; replace it with -replace')
      const id = before.found.ID ?? ''
      const reply =
        id === '' || permissions.length > 0
          ? await exact()
          : await http.request('PUT', `/v1/connect/intentions/${id}`, { params: wait, body: { ...body, ID: id } })
      return isRefused(reply) ? reply : { created: false, reply }
    }
  }
  const reply = permissions.length > 0 ? await exact() : await http.request('POST', '/v1/connect/intentions', { params: wait, body })
  return isRefused(reply) ? reply : { created: true, reply }
}
