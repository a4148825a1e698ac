import { intentionsRef } from '../../actors/intentions/index.ts'
import { isRefused, type Result } from '../../src/kernel/refusal.ts'
import { connectionsOf } from '../connections.ts'
import { type Field, upstreamName } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import type { AskedRule, RuleAction } from '../models/intentions.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'

/** Services that have no sidecar, only a certificate. */
export const STRANGERS = ['api', 'batch'] as const
const WITHIN_MS = 8_000

/** The names of a rule, as "web > db", "* > db" or the like. */
export const rule: Field<string> = {
  about: 'a rule as "source > destination", each the name of a service or *',
  draw(random, { upstreams }) {
    const { source, destination } = pick(random, upstreams)
    const kind = random.next()
    if (kind < 0.6) return upstreamName(source, destination)
    if (kind < 0.75) return upstreamName(pick(random, STRANGERS), destination)
    if (kind < 0.93) return upstreamName('*', destination)
    return upstreamName(kind < 0.97 ? source : '*', '*')
  },
  isAllowed: (value) => typeof value === 'string' && /^\S+ > \S+$/.test(value),
  smaller: () => [],
}

export const deny = defineWorkload({
  name: 'intention.deny',
  about: 'an operator denies connections',
  onServers: true,
  perMinute: 6,
  oncePerRun: true,
  marks: [{ name: 'intention deny', events: 4 }],
  fields: { rule },
  apply: (run, { node, rule }) => ask(run, node, rule, 'deny'),
})

export const allow = defineWorkload({
  name: 'intention.allow',
  about: 'an operator allows connections',
  onServers: true,
  perMinute: 6,
  oncePerRun: true,
  marks: [{ name: 'intention allow', events: 4 }],
  fields: { rule },
  apply: (run, { node, rule }) => ask(run, node, rule, 'allow'),
})

export const forgetRule = defineWorkload({
  name: 'intention.delete',
  about: 'an operator removes a rule',
  onServers: true,
  perMinute: 3,
  oncePerRun: true,
  marks: [{ name: 'intention none', events: 4, chance: 0.7 }],
  fields: { rule },
  apply: (run, { node, rule }) => ask(run, node, rule, 'none'),
})

function ask(run: Run, nodeName: string, rule: string, action: RuleAction): void {
  const node = run.up(nodeName)
  if (!node) return
  const [source = '', destination = ''] = rule.split(' > ')
  const asked = connectionsOf(run).asked.ask(source, destination, action, run.world.nowMs)
  const settled = (result: Result<unknown>) => settle(run, asked, result)
  if (action === 'none') node.edge.ask(intentionsRef, 'deleteExact', { source, destination, token: '' }, WITHIN_MS, settled)
  else {
    const request = { source, destination, action, description: '', permissions: [], token: '' }
    node.edge.ask(intentionsRef, 'put', request, WITHIN_MS, settled)
  }
}

function settle(run: Run, asked: AskedRule, result: Result<unknown>): void {
  const { asked: model } = connectionsOf(run)
  const { nowMs } = run.world
  if (!isRefused(result)) {
    run.reach(`intention ${asked.action}`)
    return model.acknowledge(asked, nowMs)
  }
  run.reach(`intention ${result.refused}`)
  if (result.refused === 'busy' || result.refused === 'invalid') model.withdraw(asked, nowMs)
  // In one server's log nothing overtakes; in a shared one a change that nobody heard of again may still come.
  else model.lose(asked, nowMs, run.cluster.log !== undefined)
}
