import { isRefused } from '../kernel/refusal.ts'
import type { CommandCall, FlagTable } from './command.ts'
import type { HttpClient, HttpReply } from './http.ts'

/** For commands that change intentions. */
export const waitFlag = {
  wait: {
    kind: 'limit',
    value: '5s',
    about:
      'Wait until every proxy has the change in force and has closed what it forbids, at most so long (5s without a value), and say so. The exit code is 2 if some proxy has not.',
  },
} as const satisfies FlagTable

/** What a write asks for with it: query parameters. */
export function waitParams(waitMs: number | undefined): { 'wait-enforced'?: string } {
  return waitMs === undefined ? {} : { 'wait-enforced': `${waitMs}ms` }
}

/**
 * Says who has a change in force, from the proof in the answer to its write: `enforced on 2 of 2 proxies in 38 ms, 14 connections
 * closed`. Those that have not are named, with the index of the intentions that they have. Answers the exit code.
 */
export async function sayEnforced(
  { io, http, fail }: Pick<CommandCall<FlagTable>, 'io' | 'fail'> & { http: HttpClient },
  destination: string,
  { headers }: Pick<HttpReply, 'headers'>,
): Promise<number> {
  const proof = (name: string) => String(headers[`x-tribune-${name}`] ?? '')
  const [enforced = '', all = ''] = proof('enforced-proxies').split('/')
  if (all === '') return fail('the agent does not say what its proxies have in force')
  const isDone = proof('enforced') === 'true'
  const time = `${isDone ? 'in' : 'after'} ${proof('enforced-ms')} ms`
  io.out(
    `enforced on ${enforced} of ${counted(all, 'proxy', 'proxies')} ${time}, ${counted(proof('closed-connections'), 'connection')} closed`,
  )
  if (isDone && proof('silent-proxies') === '0') return 0
  const params = { destination, 'intention-index': proof('intention-index') }
  const found = await http.json<EnforcementBody>('/v1/tribune/enforcement', params)
  if (isRefused(found)) return fail(`Error asking which proxies are missing: ${found.why}`)
  const { IntentionIndex: index, Proxies: proxies, Silent: silent } = found.value
  for (const proxy of proxies.filter(({ Enforced }) => !Enforced))
    io.err(`missing: ${nameOf(proxy)} on ${proxy.Node}, ${missing(proxy, index)}`)
  for (const { Node, ServiceID, Kind } of silent) {
    const who =
      Kind === 'native' ? 'an application in the mesh by itself that tells nothing' : 'a proxy of another program that tells nothing'
    io.err(`not known: ${ServiceID} on ${Node}, ${who}`)
  }
  return isDone ? 0 : EXIT_MISSING
}

/** As the API shows it. Agents of earlier versions say neither of what kind somebody is nor that it fell silent. */
type EnforcementBody = {
  IntentionIndex: number
  Proxies: Told[]
  Silent: { Node: string; ServiceID: string; Kind: string }[]
}
type Told = { Node: string; ServiceID: string; Kind?: string; Enforced: boolean; IntentionIndex: number; FellSilent?: boolean }

function nameOf({ ServiceID, Kind }: Told): string {
  return Kind === 'native' ? `${ServiceID} (native)` : ServiceID
}

function missing({ IntentionIndex, FellSilent }: Told, wanted: number): string {
  if (FellSilent) return 'which does not tell any more what it has in force'
  return `${IntentionIndex === 0 ? 'has told of none' : `has those of index ${IntentionIndex}`}, not ${wanted}`
}

const EXIT_MISSING = 2

function counted(number: string, one: string, many = `${one}s`): string {
  return `${number} ${number === '1' ? one : many}`
}
