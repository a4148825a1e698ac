/**
 * Links to other agents: batches of messages between threads of two agents. Only with members, told by their peer ids, which are proven by
 * their keys. They are opened by whoever asks an actor elsewhere. Each request's events are heard by whoever came last.
 */
export type LinksRequest =
  /** With whom there may be links; those with others end. */
  | { do: 'members'; members: LinkMember[] }
  /** This agent's actors ask that member for what only servers have or, if a datacenter is given, for what they want to know of that. Done once there is a link; until then, and if it is refused, all
   * stays as it was. `missing`: no such member. `gone`: it cannot be reached, and why. */
  | { do: 'use'; node: string; datacenter?: string }
  /** There is nobody to ask, in that datacenter; `why` is what is said to those who ask all the same. */
  | { do: 'use-none'; datacenter?: string; why?: string }
/** `host`: an IP address. */
export type LinkMember = { node: string; peer: string; host: string; port: number }
export type LinksOutcome = Record<never, never>
export type LinksEvent =
  /** The server in use cannot be asked any more; nobody is, from now on. */
  | { did: 'lost'; node: string; why: string; datacenter?: string }
  /** Somebody was refused. Said at most once a minute for each; `times`: how often since it was said last. */
  | { did: 'refused'; who: string; why: string; times: number }
