import { connect, type Socket } from 'node:net'
import type { Benchmark } from './benchmark.ts'
import { type Agent, startAgent } from './kit/agent.ts'
import { done } from './kit/http.ts'
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
      const woken = readers.map((reader) => reader.ask(`GET /v1/kv/watched?index=${index}&wait=60s HTTP/1.1\r\nHost: bench\r\n\r\n`))
      await pause(PARKED_MS)
      const startMs = performance.now()
      const body = String(round)
      void writer.ask(`PUT /v1/kv/watched HTTP/1.1\r\nHost: bench\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      const answers = await Promise.all(woken)
      times.push(Math.max(...answers.map(({ atMs }) => atMs)) - startMs)
      index = Number(/x-consul-index: (\d+)/i.exec(answers[0]?.text ?? '')?.[1])
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

/** A connection that sends bare bytes and takes the first that come back for the answer, so that the client costs next to nothing. */
async function openReader({ httpPort }: Agent) {
  const socket: Socket = connect(httpPort, '127.0.0.1').setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return {
    ask(request: string): Promise<{ atMs: number; text: string }> {
      const answer = new Promise<{ atMs: number; text: string }>((resolve) =>
        socket.once('data', (bytes: Buffer) => resolve({ atMs: performance.now(), text: bytes.toString('latin1') })),
      )
      socket.write(request)
      return answer
    },
    close: () => socket.destroy(),
  }
}
