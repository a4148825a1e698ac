import { eventsOf } from '../events.ts'
import { freshValue, ms, oneOf } from '../fields.ts'
import { defineWorkload } from '../kind.ts'

/** More than an agent keeps. */
const BURST = 300
const name = oneOf('deploy', 'deploy', 'restart')

export const eventFire = defineWorkload({
  name: 'event.fire',
  about: 'somebody fires an event, perhaps only for some agents',
  perMinute: 20,
  marks: [{ name: 'event fired', events: 20 }],
  fields: { event: name, payload: freshValue, filter: oneOf('none', 'none', 'none', 'own node', 'other node', 'no service') },
  apply(run, { node, event, payload, filter }) {
    if (run.up(node)) eventsOf(run).fire(node, event, payload, filter)
  },
})

export const eventBurst = defineWorkload({
  name: 'event.burst',
  about: 'somebody fires more events at once than an agent keeps',
  perMinute: 0.3,
  oncePerRun: true,
  fields: { payload: freshValue },
  apply(run, { node, payload }) {
    if (!run.up(node)) return
    for (let count = 0; count < BURST; count++) eventsOf(run).fire(node, 'burst', `${payload}-${count}`, 'none')
    run.reach('events burst')
  },
})

export const eventList = defineWorkload({
  name: 'event.list',
  about: 'somebody lists the newest events of an agent',
  perMinute: 12,
  marks: [{ name: 'events listed', events: 10 }],
  fields: { name: oneOf('', '', 'deploy', 'restart') },
  apply(run, { node, name }) {
    if (run.up(node)) eventsOf(run).list(node, name)
  },
})

export const eventFollow = defineWorkload({
  name: 'event.follow',
  about: 'somebody waits for events of an agent, one after the other',
  perMinute: 1.5,
  marks: [{ name: 'event heard of', events: 2, chance: 0.1 }],
  fields: { waitMs: ms(1_000, 20_000), forMs: ms(2_000, 60_000) },
  apply: (run, { node, waitMs, forMs }) => eventsOf(run).follow(node, waitMs, forMs),
})
