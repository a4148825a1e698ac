import { apisOf, isRefusedForSure } from '../apis.ts'
import { connectionsOf } from '../connections.ts'
import { defineWorkload } from '../kind.ts'
import { proofsOf } from '../proofs.ts'
import { rule } from './intentions.ts'

export const prove = defineWorkload({
  name: 'intention.prove',
  about: 'an operator denies connections, and waits for the proof that no sidecar lets them through',
  perMinute: 4,
  oncePerRun: true,
  marks: [{ name: 'deny proven', events: 6 }],
  fields: { rule },
  apply(run, { node: name, rule }) {
    const node = run.up(name)
    if (!node) return
    const [source = '', destination = ''] = rule.split(' > ')
    const { asked: model } = connectionsOf(run)
    const asked = model.ask(source, destination, 'deny', run.world.nowMs)
    const query = new URLSearchParams({ source, destination, 'wait-enforced': '5s' })
    apisOf(run).request(name, 'PUT', `/v1/connect/intentions/exact?${query}`, { body: '{"Action":"deny"}' }, (reply) => {
      const { nowMs } = run.world
      if (reply !== 'lost' && reply.status === 200) {
        model.acknowledge(asked, nowMs)
        if (reply.header('X-Tribune-Enforced') !== 'true') return run.reach('deny not proven in time')
        run.reach('deny proven')
        return proofsOf(run).came(node, asked, Number(reply.header('X-Tribune-Intention-Index')))
      }
      if (reply !== 'lost' && isRefusedForSure(reply)) model.withdraw(asked, nowMs)
      // In one server's log nothing overtakes; in a shared one a change that nobody heard of again may still come.
      else model.lose(asked, nowMs, run.cluster.log !== undefined)
    })
  },
})
