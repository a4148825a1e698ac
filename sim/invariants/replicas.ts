import { kvGet } from '../../actors/kv/queries.ts'
import { Replay, tableDifference } from '../models/replay.ts'
import type { Reading, Run } from '../run.ts'
import type { Invariant } from './invariant.ts'

/** In larger clusters only some servers are compared with the log. */
const COMPARED_MAX = 5

export const serversShowOneHistory: Invariant = {
  name: 'servers-show-one-history',
  sentence:
    'what a server shows is what the log makes of an empty state up to the index it has reached, and in the end all servers are equal',
  when: 'rest',
  broken({ cluster, readings }) {
    if (!cluster.log) return undefined
    const replay = new Replay(cluster.log.entries)
    const left = byHead(readings)
    do {
      for (const reading of left.get(replay.index) ?? []) {
        const fault = readingFault(replay, reading)
        if (fault !== undefined) return fault
      }
      left.delete(replay.index)
    } while (replay.next())
    for (const [{ node, key, head }] of left.values() as MapIterator<[Reading]>) {
      return `${node} showed ${key} at index ${head}, which the log never comes to between two entries`
    }
    return tablesFault({ cluster }, replay)
  },
}

function byHead(readings: readonly Reading[]): Map<number, Reading[]> {
  const found = new Map<number, Reading[]>()
  for (const reading of readings) {
    const known = found.get(reading.head)
    if (known) known.push(reading)
    else found.set(reading.head, [reading])
  }
  return found
}

function readingFault({ view }: Replay, { node, key, value, head }: Reading): string | undefined {
  const { entry } = kvGet(view, key)
  const was = entry ? Buffer.from(entry.value).toString() : null
  return was === value
    ? undefined
    : `${node} showed ${key} as ${JSON.stringify(value)} at index ${head}, where it was ${JSON.stringify(was)}`
}

function tablesFault({ cluster }: Pick<Run, 'cluster'>, replay: Replay): string | undefined {
  for (const { name, tables } of cluster.servers.slice(0, COMPARED_MAX)) {
    const difference = tableDifference(replay.view, tables.view())
    if (difference !== undefined) return `the log and the tables of ${name} differ: ${difference}`
  }
  return undefined
}
