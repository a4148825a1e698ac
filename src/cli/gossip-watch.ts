import { printable } from '../kernel/printable.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { type Gossip, type GossipEntry, type GossipFigures, type GossipMember, look } from './gossip-answers.ts'
import { sentenceOf } from './gossip-trace.ts'
import type { Io } from './io.ts'

/** How long one look waits for a change of the members; figures are as old as that at most. */
const LOOK = '2s'
const NEWS_MAX = 8

export const gossipWatchCommand = defineApiCommand({
  summary: 'Watch gossip live',
  usage: 'gossip watch [options]',
  about: `
Shows the members in the order of the ring, how they are, whom the agent watches, how much it says and hears, how long news takes to come, and the newest accusations and verdicts. On a terminal it fills the screen until q or an interrupt; elsewhere it prints a line for each change.

    $ tribune gossip watch
    $ tribune gossip watch | grep failed
`,
  answers: 'agent',
  flags: {
    once: { kind: 'boolean', about: 'Show it once and end.' },
    wan: { kind: 'boolean', about: 'Show the servers of all datacenters, as a server knows them.' },
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const over = new AbortController()
    io.signal?.addEventListener('abort', () => over.abort())
    if (io.signal?.aborted) over.abort()
    const { signal } = over
    const view =
      io.terminal === undefined || flags.once ? linesView(io, flags.once === true) : screenView(io, io.terminal, () => over.abort())
    const params = flags.wan ? { wan: '1' } : {}
    let index = 0
    try {
      while (!signal.aborted) {
        const gossip = await look<Gossip>(http, '/v1/tribune/gossip', params, { index, wait: LOOK, signal })
        if (isRefused(gossip)) return signal.aborted ? 0 : fail(`Error reading gossip: ${gossip.why}`)
        const trace = await look<GossipEntry[]>(http, '/v1/tribune/gossip/trace', params, { index: 0, wait: LOOK, signal })
        if (isRefused(trace)) return signal.aborted ? 0 : fail(`Error reading the trace: ${trace.why}`)
        view.show(gossip.value, trace.value)
        if (flags.once) return 0
        // A cluster that changes all the time is looked at once in a while, too.
        index = gossip.index
      }
      return 0
    } finally {
      view.close()
    }
  },
})

type GossipView = { show(gossip: Gossip, trace: readonly GossipEntry[]): void; close(): void }

/** All of it again on each look. */
function screenView({ write }: Io, terminal: NonNullable<Io['terminal']>, quit: () => void): GossipView {
  const stopKeys = terminal.keys((key) => {
    if (key === 'q' || key === 'Q' || key === '\u0003') quit()
  })
  write('\u001b[?1049h\u001b[?25l')
  return {
    show(gossip, trace) {
      const { columns: width, rows: height } = terminal.size()
      const head = [headline(gossip), ...figureLines(gossip), '']
      const news = trace.slice(-NEWS_MAX).map(sentenceOf)
      const table = columns([HEADINGS, ...gossip.Members.map(memberRow)]).split('\n')
      const room = Math.max(2, height - head.length - news.length - 3)
      const hidden = table.length - room
      const shownTable = hidden > 0 ? [...table.slice(0, room - 1), `… ${hidden + 1} more`] : table
      const lines = [...head, ...shownTable, '', ...(news.length > 0 ? news : ['Nothing was said of anybody yet.'])]
      const text = lines.map((line) => `${printable(line, true).slice(0, width)}\u001b[K`).slice(0, height - 1)
      write(`\u001b[H${text.join('\r\n')}\u001b[J`)
    },
    close() {
      stopKeys()
      write('\u001b[?25h\u001b[?1049l')
    },
  }
}

/** What has changed, a line each: first all members, then those that are different, and what was said. */
function linesView({ out }: Io, isWhole: boolean): GossipView {
  const shown = new Map<string, string>()
  let seen = 0
  let summary = ''
  return {
    show(gossip, trace) {
      const line = [headline(gossip), ...figureLines(gossip)].join('; ')
      const stable = `${headline(gossip)} ${gossip.Members.length}`
      if (stable !== summary) out(line)
      summary = stable
      for (const member of gossip.Members) {
        const text = memberLine(member)
        if (shown.get(member.Name) !== text) out(text)
        shown.set(member.Name, text)
      }
      for (const name of [...shown.keys()].filter((known) => !gossip.Members.some(({ Name }) => Name === known))) {
        shown.delete(name)
        out(`member ${name} is forgotten`)
      }
      if ((trace.at(-1)?.Number ?? 0) < seen) seen = 0
      for (const entry of isWhole ? trace.slice(-NEWS_MAX) : trace) if (entry.Number > seen) out(sentenceOf(entry))
      seen = trace.at(-1)?.Number ?? seen
    },
    close: () => undefined,
  }
}

const HEADINGS = ['Place', 'Member', 'Address', 'Status', 'Incarnation', 'Watched']

function headline({ Node, Members, HealthScore, Connections }: Gossip): string {
  const counts = new Map<string, number>()
  for (const { Status } of Members) counts.set(Status, (counts.get(Status) ?? 0) + 1)
  const states = [...counts].map(([status, count]) => `${count} ${status}`).join(', ')
  return `${Node}: ${states || 'no members: it does not gossip'}; ${Connections} connections, health score ${HealthScore}`
}

function figureLines({ Rates, Spread }: Gossip): string[] {
  return [Rates === null ? 'rates are known soon' : ratesLine(Rates), spreadLine(Spread)]
}

function ratesLine({ MessagesOut, BytesOut, MessagesIn, BytesIn }: GossipFigures): string {
  return `says ${MessagesOut}/s (${BytesOut} bytes/s), hears ${MessagesIn}/s (${BytesIn} bytes/s)`
}

function spreadLine(spread: Gossip['Spread']): string {
  if (spread === null) return 'no news came yet'
  const { Rumours, MedianMs, P99Ms, StepsMax } = spread
  return `the newest ${Rumours} news took ${MedianMs} ms, at most ${P99Ms} ms, over up to ${StepsMax} members`
}

function memberRow(member: GossipMember): string[] {
  const { Place, Name, Status, Incarnation, IsSelf, IsWatched } = member
  const place = Place.toString(16).padStart(8, '0')
  return [place, Name, addressOf(member), Status, String(Incarnation), IsSelf ? 'self' : IsWatched ? 'yes' : '']
}

function memberLine(member: GossipMember): string {
  const watched = member.IsSelf ? ', this agent' : member.IsWatched ? ', watched' : ''
  return `member ${member.Name} at ${addressOf(member)} is ${member.Status} (incarnation ${member.Incarnation}${watched})`
}

function addressOf({ Address, Port }: GossipMember): string {
  return Address.includes(':') ? `[${Address}]:${Port}` : `${Address}:${Port}`
}
