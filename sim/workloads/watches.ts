import { type Field, oneOf } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import { watchesOf } from '../watches.ts'

const WAIT_MS_MAX = 600_000

/** How long one query waits: in long runs long, so that nothing but time passes with less ado. */
const wait: Field<number> = {
  about: 'a whole number of milliseconds, 10 or more',
  draw: (random, { quietAtMs }) =>
    random.int(
      Math.min(WAIT_MS_MAX, Math.max(500, Math.round(quietAtMs / 3_000))),
      Math.min(WAIT_MS_MAX, Math.max(10_000, Math.round(quietAtMs / 100))),
    ),
  isAllowed: (value) => Number.isSafeInteger(value) && (value as number) >= 10,
  smaller: () => [],
}

/** Some watch until the end of all trouble and longer. */
const duration: Field<number> = {
  about: 'a whole number of milliseconds, 0 or more',
  draw: (random, { quietAtMs }) => random.int(1_000, Math.round(quietAtMs * 1.5)),
  isAllowed: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  smaller: () => [],
}

export const watch = defineWorkload({
  name: 'watch',
  about: 'a client watches something over HTTP with one blocking query after the other',
  perMinute: 4,
  marks: [{ name: 'watch looked at', events: 10, chance: 0.8 }],
  fields: {
    url: oneOf(
      '/v1/kv/app/a',
      '/v1/kv/leader',
      '/v1/kv/app/?recurse',
      '/v1/kv/app/?keys',
      '/v1/health/service/db?passing',
      '/v1/health/service/api',
      '/v1/health/state/any',
      '/v1/catalog/services',
      '/v1/catalog/nodes',
      '/v1/catalog/service/cache',
      '/v1/connect/ca/roots',
      '/v1/connect/intentions',
      '/v1/connect/intentions/match?by=destination&name=db',
    ),
    waitMs: wait,
    forMs: duration,
  },
  apply: (run, { node, url, waitMs, forMs }) => watchesOf(run).start(node, url, waitMs, forMs),
})
