import type { Host } from '../kernel/host.ts'
import type { Devices } from '../kernel/ports.ts'
import type { Sample } from '../kernel/sample.ts'

/** The same log, which also measures how long each group takes until it is durable, in milliseconds. */
export function timedLog(log: Devices['log'], host: () => Pick<Host, 'samples' | 'ports' | 'count'>): Devices['log'] {
  const times = new Map<string, readonly Sample[]>()
  const timesOf = (command: object): readonly Sample[] => {
    const { kind, request } = command as { kind?: string; request?: { kind?: string } }
    const name = kind === 'config.set' || kind === 'config.delete' ? `${kind}.${request?.kind}` : String(kind)
    const known = times.get(name)
    if (known) return known
    const made = metricsOf(name).map((metric) => host().samples.of(metric))
    times.set(name, made)
    return made
  }
  return {
    perform(request, done, event) {
      if (request.commands.length === 0) return log.perform(request, done, event)
      const { clock } = host().ports
      const beganMs = clock.monotonicMs()
      log.perform(
        request,
        (outcome) => {
          const tookMs = clock.monotonicMs() - beganMs
          host().samples.of('raft.commitTime').add(tookMs)
          host().count('raft.apply', request.commands.length)
          for (const command of request.commands) {
            for (const sample of timesOf(command)) sample.add(tookMs)
          }
          done(outcome)
        },
        event,
      )
    },
  }
}

/** The names under which Consul measures a change of state: of one kind, or of all kinds of a part. Source: internals §10.1. */
const METRICS: Readonly<Record<string, readonly string[]>> = {
  kv: ['kvs.apply', 'fsm.kvs'],
  txn: ['txn.apply', 'fsm.txn'],
  sessions: ['session.apply', 'fsm.session'],
  'sessions.renew': ['session.renew'],
  queries: ['prepared-query.apply', 'fsm.prepared-query'],
  intentions: ['intention.apply', 'consul.intention.apply', 'fsm.intention', 'consul.fsm.intention'],
  autopilot: ['fsm.autopilot'],
  coordinates: ['fsm.coordinate.batch-update'],
  ca: ['fsm.ca', 'consul.fsm.ca'],
}

function metricsOf(kind: string): readonly string[] {
  const [domain = '', change = '', entry = ''] = kind.split('.')
  if (domain === 'catalog') return [`catalog.${change}`, `fsm.${change}`]
  if (domain === 'config') return [`config_entry.${change === 'set' ? 'apply' : change}`, `fsm.config_entry.${entry}`]
  return METRICS[kind] ?? METRICS[domain] ?? [`fsm.${domain}`]
}
