import type { Host } from '../kernel/host.ts'
import type { Devices } from '../kernel/ports.ts'
import type { Sample } from '../kernel/sample.ts'

/** The same log, which also measures how long each group takes until it is durable, in milliseconds. */
export function timedLog(log: Devices['log'], host: () => Pick<Host, 'samples' | 'ports' | 'count'>): Devices['log'] {
  const times = new Map<string, readonly Sample[]>()
  const timesOf = (kind: string): readonly Sample[] => {
    const known = times.get(kind)
    if (known) return known
    const made = metricsOf(kind).map((metric) => host().samples.of(metric))
    times.set(kind, made)
    return made
  }
  return {
    perform(request, done, event) {
      const { clock } = host().ports
      const beganMs = clock.monotonicMs()
      log.perform(
        request,
        (outcome) => {
          const tookMs = clock.monotonicMs() - beganMs
          host().samples.of('raft.commitTime').add(tookMs)
          host().count('raft.apply', request.commands.length)
          for (const command of request.commands) {
            for (const sample of timesOf(String((command as { kind?: unknown }).kind))) sample.add(tookMs)
          }
          done(outcome)
        },
        event,
      )
    },
  }
}

/** The names under which Consul measures a change of state. */
const METRICS: Readonly<Record<string, readonly string[]>> = {
  kv: ['kvs.apply', 'fsm.kvs'],
  txn: ['txn.apply', 'fsm.txn'],
  sessions: ['session.apply', 'fsm.session'],
  queries: ['prepared-query.apply', 'fsm.prepared-query'],
  intentions: ['intention.apply', 'fsm.intention'],
  config: ['config_entry.apply'],
  autopilot: ['fsm.autopilot'],
  coordinates: ['fsm.coordinate.batch-update'],
  ca: ['fsm.ca'],
}

function metricsOf(kind: string): readonly string[] {
  const [domain = '', change = ''] = kind.split('.')
  return domain === 'catalog' ? [`catalog.${change}`, `fsm.${change}`] : (METRICS[domain] ?? [`fsm.${domain}`])
}
