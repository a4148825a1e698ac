import { setTimeout as pause } from 'node:timers/promises'
import type { TraceEntry } from '../../actors/membership/protocol.ts'
import { formatDuration } from '../config/durations.ts'
import { goTime } from '../http/go-time.ts'
import { isRefused } from '../kernel/refusal.ts'
import { defineCommand } from './command.ts'
import { sentenceOf } from './gossip-trace.ts'
import { readText } from './http-settings.ts'

/** Exit code when the arguments or the file make no sense. */
const EXIT_MISUSED = 2
/** What comes after these is rarely something else. */
const DIFFERENCES_MAX = 10

export const gossipReplayCommand = defineCommand({
  summary: 'Play a recording of gossip again',
  usage: 'gossip replay [options] FILE',
  about: `
Gives the membership of this program, without any agent or network, what an agent heard while it was recorded, at the same times and with the same chance. Prints the accusations, verdicts and refutations that come of it, as gossip trace does, and where it does something else than the recorded agent did.

    $ tribune gossip record -for=30s gossip.jsonl
    $ tribune gossip replay gossip.jsonl

The exit code is 0 if it does the same, 1 if it does not, and 2 if the arguments or the file make no sense. Another version of the program may well do something else.
`,
  exitMisused: EXIT_MISUSED,
  flags: {
    speed: { kind: 'string', value: 'factor', about: 'How many times as fast as it was; without pauses if not given.' },
    until: { kind: 'duration', about: 'Stop so long after the beginning of the recording.' },
  },
  async run({ flags, rest, io, misused }) {
    const [file] = rest
    if (file === undefined || rest.length > 1) return misused(`expected 1 argument, got ${rest.length}`)
    const speed = flags.speed === undefined ? Number.POSITIVE_INFINITY : Number(flags.speed)
    if (!(speed > 0)) return misused('-speed must be a number above 0')
    const { readRecording, replay } = await import('../../sim/members/replay.ts')
    const failed = (why: string) => {
      io.err(`Error reading the recording: ${why}`)
      return EXIT_MISUSED
    }
    const text = readText(file)
    if (isRefused(text)) return failed(text.why)
    const recording = readRecording(text.value)
    if (isRefused(recording)) return failed(`${file}: ${recording.why}`)
    const { header, inputs, end } = recording
    const untilMs = flags.until ?? Number.POSITIVE_INFINITY
    io.out(`${header.node} from ${goTime(header.atMs)} on, ${inputs.length} inputs`)
    let played = 0
    let entries = 0
    let differences = 0
    let atMs = header.atMs
    for (const step of replay(recording)) {
      if (step.atMs - header.atMs > untilMs || differences >= DIFFERENCES_MAX || io.signal?.aborted) break
      if (speed !== Number.POSITIVE_INFINITY) await paused(Math.max(0, step.atMs - atMs) / speed, io.signal)
      atMs = step.atMs
      played++
      entries += step.trace.length
      for (const entry of step.trace) io.out(sentence(entry))
      for (const difference of step.differences) io.out(`${goTime(step.atMs)} DIFFERENT at input ${played}, ${step.input}: ${difference}`)
      differences += step.differences.length
    }
    if (end === undefined) io.err('The recording was cut off: its end is missing')
    const after = `after ${played} of ${inputs.length} inputs in ${formatDuration(Math.max(0, atMs - header.atMs))}`
    if (differences === 0) io.out(`The same as recorded ${after}, ${entries} entries`)
    else io.out(`Not as recorded ${after}: ${differences >= DIFFERENCES_MAX ? 'stopped at ' : ''}${differences} differences`)
    return differences === 0 && end !== undefined ? 0 : 1
  },
})

/** An interrupt ends it early. */
async function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(ms, undefined, signal && { signal })
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

function sentence({ number, atMs, what, member, incarnation, by, via, why }: TraceEntry): string {
  return sentenceOf({
    Number: number,
    At: goTime(atMs),
    What: what,
    Member: member,
    Incarnation: incarnation,
    By: by,
    Via: [...via],
    Why: why,
  })
}
