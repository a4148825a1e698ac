import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Benchmark } from './benchmark.ts'
import { startAgent, TRIBUNE } from './kit/agent.ts'
import { done } from './kit/http.ts'
import { median } from './kit/wait.ts'

const RUNS = 20
const runFile = promisify(execFile)

export const cli: Benchmark = {
  name: 'cli',
  about: 'how long a command takes',
  needs: [],
  async run(stage) {
    const agent = await startAgent(stage, { mode: 'dev' })
    await done('PUT', `${agent.url}/v1/kv/greeting`, 'hello')
    const times: number[] = []
    for (let run = 0; run < RUNS; run++) {
      const startMs = performance.now()
      const { stdout } = await runFile(TRIBUNE, ['kv', 'get', `-http-addr=${agent.url}`, 'greeting'])
      if (stdout.trim() !== 'hello') throw new Error(`tribune kv get printed ${JSON.stringify(stdout)}`)
      times.push(performance.now() - startMs)
    }
    const note = `middle of ${RUNS}, worst ${Math.max(...times).toFixed(0)} ms; wanted under 150 ms`
    return [{ name: 'tribune kv get', ours: median(times), unit: 'ms', note }]
  },
}
