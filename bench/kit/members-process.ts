import { loopbackBytes, type RealMember, startMember } from './real-members.ts'

/** Asked over the channel of `fork`; each is answered once, in order. */
export type MembersAsked =
  /** Members with these names, on ports of their own; answered with the ports. */
  | { do: 'start'; names: string[] }
  /** All of them, one after the other. */
  | { do: 'join'; port: number }
  /** What each of them knows of the others. */
  | { do: 'views' }
  /** Since the process began, of all of them together, and of this moment. */
  | { do: 'figures' }
export type MembersAnswered = { ports?: number[]; views?: MemberView[]; figures?: MembersFigures }

/** Names by status, but for `alive`, of which it is the count. */
export type MemberView = { name: string; alive: number; failed: string[]; suspect: string[]; left: string[] }
export type MembersFigures = {
  atMs: number
  messages: number
  bytes: number
  connections: number
  cpuMs: number
  loopbackBytes: number
  rssBytes: number
}

const members: RealMember[] = []

async function answer(asked: MembersAsked): Promise<MembersAnswered> {
  switch (asked.do) {
    case 'start':
      for (const name of asked.names) members.push(await startMember(name))
      return { ports: members.map(({ port }) => port) }
    case 'join':
      for (const member of members) if (member.port !== asked.port) await member.join(asked.port)
      return {}
    case 'views':
      return { views: members.map(viewOf) }
    case 'figures':
      return { figures: await figures() }
  }
}

function viewOf(member: RealMember): MemberView {
  const names = (wanted: string) => member.members().flatMap(({ name, status }) => (status === wanted ? [name] : []))
  return { name: member.name, alive: names('alive').length, failed: names('failed'), suspect: names('suspect'), left: names('left') }
}

async function figures(): Promise<MembersFigures> {
  const { user, system } = process.cpuUsage()
  const all = await Promise.all(members.map((member) => member.health()))
  return {
    atMs: performance.now(),
    messages: sum(all.map(({ totals }) => totals?.messagesOut ?? 0)),
    bytes: sum(all.map(({ totals }) => totals?.bytesOut ?? 0)),
    connections: sum(all.map(({ connections }) => connections)),
    cpuMs: (user + system) / 1_000,
    loopbackBytes: loopbackBytes(),
    rssBytes: process.memoryUsage.rss(),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

let turn: Promise<unknown> = Promise.resolve()
process.on('message', (asked: MembersAsked) => {
  turn = turn.then(async () => process.send?.(await answer(asked)))
})
process.on('disconnect', () => process.exit(0))
