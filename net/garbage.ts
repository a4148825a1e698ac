import { PerformanceObserver } from 'node:perf_hooks'

/** Counts what the garbage collector of this thread does from now on: how often, and for how long in all. */
export function watchGarbage(): () => { collections: number; collectedMs: number } {
  let collections = 0
  let collectedMs = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      collections++
      collectedMs += duration
    }
  })
  observer.observe({ type: 'gc' })
  return () => ({ collections, collectedMs })
}
