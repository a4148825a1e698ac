/** Two buckets for each doubling from a thousandth of the unit up; the last one takes everything above. */
const BUCKETS = 64
const BUCKETS_PER_DOUBLING = 2
const SMALLEST = 0.001

/** What was measured since the last `take`. Adding costs a few nanoseconds and no memory. */
export class Sample {
  #count = 0
  #sum = 0
  #sumOfSquares = 0
  #min = 0
  #max = 0
  #value = 0
  #bucket = 0
  readonly #buckets = new Uint32Array(BUCKETS)

  add(value: number): void {
    this.#value = value
    this.#bucket = bucketOf(value)
    this.again()
  }

  /** Adds the value of the last time once more: for what is so short that measuring it takes longer. */
  again(): void {
    const value = this.#value
    if (this.#count === 0 || value < this.#min) this.#min = value
    if (this.#count === 0 || value > this.#max) this.#max = value
    this.#count++
    this.#sum += value
    this.#sumOfSquares += value * value
    this.#buckets[this.#bucket]! += 1
  }

  /** Everything since the last time, undefined if that is nothing. */
  take(): Measured | undefined {
    if (this.#count === 0) return undefined
    const taken = {
      count: this.#count,
      sum: this.#sum,
      sumOfSquares: this.#sumOfSquares,
      min: this.#min,
      max: this.#max,
      buckets: [...this.#buckets],
    }
    this.#count = 0
    this.#sum = 0
    this.#sumOfSquares = 0
    this.#buckets.fill(0)
    return taken
  }
}

/** The samples of all metrics. */
export class Samples {
  readonly #byMetric = new Map<string, Sample>()

  /** Where to add what is measured for a metric. It stays the same. */
  of(metric: string): Sample {
    const known = this.#byMetric.get(metric)
    if (known) return known
    const made = new Sample()
    this.#byMetric.set(metric, made)
    return made
  }

  /** Everything since the last time, without metrics for which that is nothing. */
  take(): [metric: string, measured: Measured][] {
    return [...this.#byMetric].flatMap(([metric, sample]): [string, Measured][] => {
      const measured = sample.take()
      return measured ? [[metric, measured]] : []
    })
  }
}

/** Values in short. `buckets` are how many fell into each. */
export type Measured = { count: number; sum: number; sumOfSquares: number; min: number; max: number; buckets: number[] }

export function together(a: Measured, b: Measured): Measured {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    sumOfSquares: a.sumOfSquares + b.sumOfSquares,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    buckets: a.buckets.map((count, at) => count + (b.buckets[at] ?? 0)),
  }
}

/** The value below which this part of all values lies, to within a fifth. */
export function quantile({ count, min, max, buckets }: Measured, part: number): number {
  let left = Math.ceil(count * part)
  for (const [at, inBucket] of buckets.entries()) {
    left -= inBucket
    if (left <= 0) return Math.min(max, Math.max(min, SMALLEST * 2 ** ((at + 0.5) / BUCKETS_PER_DOUBLING)))
  }
  return max
}

function bucketOf(value: number): number {
  if (value <= SMALLEST) return 0
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(value / SMALLEST) * BUCKETS_PER_DOUBLING))
}
