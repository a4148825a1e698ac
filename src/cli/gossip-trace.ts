import { isRefused } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import { type GossipEntry, look } from './gossip-answers.ts'

/** How long one look waits for something new. */
const LOOK = '60s'

export const gossipTraceCommand = defineApiCommand({
  summary: 'Show who accused a member, and how it ended',
  usage: 'gossip trace [options] [MEMBER]',
  about: `
Prints in sentences what became known to the agent about a member, or about all: who accused it, who confirmed that, the verdict or who refuted it, and over whom each word came. The agent keeps the newest 256 of them until it ends.

    $ tribune gossip trace n3

With -follow it goes on with what comes, until it is interrupted.

    $ tribune gossip trace -follow
`,
  answers: 'agent',
  flags: {
    follow: { kind: 'boolean', about: 'Go on with what comes.' },
    wan: { kind: 'boolean', about: 'About the servers of all datacenters, as a server knows them.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 1) return misused(`Too many arguments (expected 1, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const { signal } = io
    const [member] = rest
    const params = { member, ...(flags.wan && { wan: '1' }) }
    let index = 0
    let seen = 0
    while (!signal?.aborted) {
      const found = await look<GossipEntry[]>(http, '/v1/tribune/gossip/trace', params, { index, wait: LOOK, signal })
      if (isRefused(found)) return signal?.aborted ? 0 : fail(`Error reading the trace: ${found.why}`)
      // An agent that was started again counts anew.
      const fresh = found.index < index ? found.value : found.value.filter((entry) => entry.Number > seen)
      if (asJson && !flags.follow) io.out(listJson(fresh))
      else for (const entry of fresh) io.out(asJson ? JSON.stringify(entry) : sentenceOf(entry))
      if (!flags.follow) return 0
      index = found.index
      seen = fresh.at(-1)?.Number ?? (found.value.length === 0 ? 0 : seen)
    }
    return 0
  },
})

/** One thing that became known, as a sentence after its time. */
export function sentenceOf({ At, What, Member, Incarnation, By, Via, Why }: GossipEntry): string {
  return `${At} ${saidOf({ What, Member, Incarnation, By, Why })}${wayOf(Via, By)}`
}

function saidOf({ What, Member, Incarnation, By, Why }: Omit<GossipEntry, 'Number' | 'At' | 'Via'>): string {
  switch (What) {
    case 'joined':
      return `${Member} is a member (incarnation ${Incarnation}): ${Why}`
    case 'accused':
      return `${By} accuses ${Member} (incarnation ${Incarnation}): ${Why}`
    case 'confirmed':
      return `${By} confirms that ${Member} is in doubt: ${Why}`
    case 'withdrawn':
      return `${By} takes back its accusation of ${Member}: ${Why}`
    case 'failed':
      return `${Member} counts as failed (incarnation ${Incarnation}), says ${By}: ${Why}`
    case 'refuted':
      return `${Member} refutes that it is gone, with incarnation ${Incarnation}: ${Why}`
    case 'leaving':
      return `${Member} is about to leave, says ${By}: ${Why}`
    case 'left':
      return `${Member} has left, says ${By}: ${Why}`
    case 'silent':
      return `${By} heard nothing of ${Member} and does not accuse it: ${Why}`
    case 'conflict':
      return Why
    default:
      return `${Member} ${What}, says ${By}: ${Why}`
  }
}

/** Over whom it came here. */
function wayOf(via: readonly string[], by: string): string {
  if (via.length === 0) return ' [found out here]'
  if (via.length === 1) return ` [from ${via[0]}]`
  return ` [${via[0] === by ? '' : `said by ${by}, `}${via.join(' > ')}]`
}
