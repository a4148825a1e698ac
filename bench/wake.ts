import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { blockedGet, indexIn, openReader, put } from './kit/reader.ts'
import { median, pause } from './kit/wait.ts'

const READERS = 150
const ROUNDS = 20
/** For the readers' requests to be taken in. */
const PARKED_MS = 100

export const wake: Benchmark = {
  name: 'wake',
  about: `${READERS} blocked readers of one key`,
  needs: [],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    await done('PUT', `${agent.url}/v1/kv/watched`, '0')
    let { index } = await done('GET', `${agent.url}/v1/kv/watched`)
    const readers = await Promise.all(Array.from({ length: READERS }, () => openReader(agent)))
    stage.atEnd(() => {
      for (const reader of readers) reader.close()
    })
    const writer = await openReader(agent)
    stage.atEnd(() => writer.close())
    const times: number[] = []
    for (let round = 1; round <= ROUNDS; round++) {
      const woken = readers.map((reader) => reader.ask(blockedGet('/v1/kv/watched', index)))
      await pause(PARKED_MS)
      const startMs = performance.now()
      void writer.ask(put('/v1/kv/watched', String(round)))
      const answers = await Promise.all(woken)
      times.push(Math.max(...answers.map(({ atMs }) => atMs)) - startMs)
      index = answers[0] ? indexIn(answers[0]) : index
    }
    return [
      {
        name: `${READERS} blocked readers woken`,
        ours: median(times),
        unit: 'ms',
        consul: 9,
        note: `from sending the PUT to the last answer, durable; middle of ${ROUNDS}, worst ${Math.max(...times).toFixed(1)} ms`,
      },
    ]
  },
}
