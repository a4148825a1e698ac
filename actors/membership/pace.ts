import type { MembershipState } from './state.ts'

/** How long what takes, in ms. */
export type Pace = {
  /** A neighbour that was silent for so long is asked. */
  readonly silentMs: number
  /** Then others are asked to ask it. */
  readonly directMs: number
  /** Then it is accused. Counted from the first question, as `directMs` is. One that refuses connections has as long: perhaps its process
   * is being started again. */
  readonly roundMs: number
  /** How long others have for it. */
  readonly probeMs: number
  /** Until the verdict, with as many accusers as are asked for; and with one alone. */
  readonly suspectMsMin: number
  readonly suspectMsMax: number
  /** If there is nobody else who could accuse. */
  readonly suspectMsAlone: number
}

export const LAN_PACE: Pace = {
  silentMs: 1_000,
  directMs: 500,
  roundMs: 1_500,
  probeMs: 750,
  suspectMsMin: 1_000,
  suspectMsMax: 8_000,
  suspectMsAlone: 3_000,
}

/** Between datacenters answers take longer, and whoever is taken for dead wrongly costs more. As `gossip_wan` of Consul is to `gossip_lan`:
 * silence is taken for five times as long, an answer waited for six times as long. */
export const WAN_PACE: Pace = {
  silentMs: 5_000,
  directMs: 3_000,
  roundMs: 6_000,
  probeMs: 3_000,
  suspectMsMin: 4_000,
  suspectMsMax: 24_000,
  suspectMsAlone: 8_000,
}

export function paceOf({ args }: Pick<MembershipState, 'args'>): Pace {
  return args.wan ? WAN_PACE : LAN_PACE
}
