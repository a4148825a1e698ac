import type { Benchmark } from './benchmark.ts'
import { startAgent } from './kit/agent.ts'
import { ask, done, manyAtOnce } from './kit/http.ts'
import { untilTrue } from './kit/wait.ts'

const KEYS = 20_000
const CLIENTS = 32
const VALUE = 'x'.repeat(100)

export const restart: Benchmark = {
  name: 'restart',
  about: `starting again with ${KEYS} keys`,
  needs: [],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'server' })
    await manyAtOnce(KEYS, CLIENTS, (number) => done('PUT', `${agent.url}/v1/kv/key-${number}`, VALUE))
    await agent.stop()
    const startMs = performance.now()
    agent.start()
    const url = `${agent.url}/v1/kv/key-${KEYS - 1}?raw`
    await untilTrue('the last key is there', async () => (await ask('GET', url, undefined, { fresh: true })).text === VALUE)
    const ours = (performance.now() - startMs) / 1_000
    return [{ name: `restart with ${KEYS / 1_000} k keys`, ours, unit: 's', consul: 8.5, note: 'until the key written last is read' }]
  },
}
