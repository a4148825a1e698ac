import { formatDuration } from '../config/durations.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'

export const actorsCommand = defineApiCommand({
  summary: 'List the actors of the agent and how busy they are',
  usage: 'actors [options]',
  about: `
Lists every actor of the agent: the thread it lives on, how many messages wait in its mailbox and how many fit, how many it has handled, how long it was busy, how often it was restarted, and its age.

    $ tribune actors
`,
  answers: 'agent',
  flags: listFormatFlags,
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const reply = await http.json<ActorRow[]>('/v1/tribune/actors')
    if (isRefused(reply)) return fail(`Error listing actors: ${reply.why}`)
    io.out(asJson ? listJson(reply.value) : columns([HEADINGS, ...reply.value.map(rowOf)]))
    return 0
  },
})

/** As the API shows an actor. Times in milliseconds. */
type ActorRow = {
  Thread: string
  Actor: string
  Key: string
  Mailbox: number
  MailboxMax: number
  Messages: number
  BusyMs: number
  Restarts: number
  AgeMs: number
}

const HEADINGS = ['Thread', 'Actor', 'Key', 'Mailbox', 'Messages', 'Busy', 'Restarts', 'Age']

function rowOf(actor: ActorRow): string[] {
  return [
    String(actor.Thread),
    actor.Actor,
    actor.Key,
    `${actor.Mailbox}/${actor.MailboxMax}`,
    String(actor.Messages),
    formatDuration(Math.round(actor.BusyMs)),
    String(actor.Restarts),
    formatDuration(Math.floor(actor.AgeMs / 1000) * 1000),
  ]
}
