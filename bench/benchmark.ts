import type { Stage } from './kit/stage.ts'
import type { Tool } from './kit/tools.ts'

/** One measured figure. */
export type Row = {
  name: string
  ours: number
  unit: Unit
  /** Consul's figure for the same load on a machine with two cores. */
  consul?: number
  note?: string
}

/** Of `/s`, `GB/s` and `virtual s/s` more is better, of the others less. */
export type Unit = '/s' | 'GB/s' | 'virtual s/s' | 'µs' | 'ms' | 's' | 'MB'

export type Benchmark = {
  /** What to call it on the command line. */
  name: string
  about: string
  /** Programs without which it cannot run. */
  needs: readonly Tool[]
  run(stage: Stage): Promise<Row[]>
}
