import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { MembersAnswered, MembersAsked, MembersFigures } from './members-process.ts'
import type { Stage } from './stage.ts'

/** Of each member in a second, but for `rssBytes`, which all have together. */
export type AtRest = {
  messages: number
  /** What is sent, packed, without what the network adds. */
  bytes: number
  /** What is sent, with all that the network adds. Undefined where nobody may make a network of its own, which alone is quiet. */
  wireBytes: number | undefined
  connections: number
  cpuMs: number
  rssBytes: number
}

const PROGRAM = fileURLToPath(new URL('members-process.ts', import.meta.url))
/** The process begins in a network of its own. */
const ALONE = ['unshare', '-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
const SETTLE_MS = 20_000
const MEASURE_MS = 30_000
const LOOK_AGAIN_MS = 200

/** Members with real sockets in one process, all of whom know each other and to whom nothing happens. */
export async function realAtRest(stage: Stage, count: number): Promise<AtRest> {
  const isAlone = spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0
  const [file = '', ...args] = [...(isAlone ? ALONE : []), process.execPath, PROGRAM]
  const child = stage.start(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ask = async (asked: MembersAsked): Promise<MembersAnswered> => {
    const answered = once(child, 'message')
    child.send(asked)
    return ((await answered) as [MembersAnswered])[0]
  }
  const { ports = [] } = await ask({ do: 'start', names: Array.from({ length: count }, (_, number) => `m${number}`) })
  await ask({ do: 'join', port: ports[0] as number })
  const allKnow = async () => (await ask({ do: 'views' })).views?.every(({ alive }) => alive === count)
  while (!(await allKnow())) await pause(LOOK_AGAIN_MS)
  await pause(SETTLE_MS)
  const { figures: before } = (await ask({ do: 'figures' })) as { figures: MembersFigures }
  await pause(MEASURE_MS)
  const { figures: after } = (await ask({ do: 'figures' })) as { figures: MembersFigures }
  child.kill()
  const inSecond = (of: (figures: MembersFigures) => number) => ((of(after) - of(before)) / (after.atMs - before.atMs) / count) * 1_000
  return {
    messages: inSecond(({ messages }) => messages),
    bytes: inSecond(({ bytes }) => bytes),
    wireBytes: isAlone ? inSecond(({ loopbackBytes }) => loopbackBytes) : undefined,
    connections: after.connections / count,
    cpuMs: inSecond(({ cpuMs }) => cpuMs),
    rssBytes: after.rssBytes,
  }
}
