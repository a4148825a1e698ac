import { carryingOnOf } from '../carrying-on.ts'
import { ms, oneOf } from '../fields.ts'
import { defineFault, type Kind } from '../kind.ts'

const serversAway = defineFault({
  name: 'servers-away',
  about: 'every server stops at once, and comes back after a while; perhaps a client is started again meanwhile',
  perMinute: 0.8,
  oncePerRun: true,
  withClients: true,
  marks: [{ name: 'carried on without servers', events: 3, chance: 0.05 }],
  fields: { forMs: ms(6_000, 30_000), how: oneOf('aloud', 'silently'), restarted: oneOf('nobody', 'nobody', 'client') },
  apply(run, { node, forMs, how, restarted }) {
    const { clients } = run.cluster
    const name = clients.find((client) => client.name === node)?.name ?? clients[0]?.name
    for (const server of run.cluster.servers) run.cluster.disturb(server.name, forMs)
    carryingOnOf(run).away(forMs, how, restarted === 'client' ? name : undefined)
  },
})

const clientActorCrash = defineFault({
  name: 'client-actor-crash',
  about: 'an actor by which a client asks servers, or a server answers it, crashes on its next messages',
  perMinute: 1,
  withClients: true,
  fields: { actor: oneOf('router', 'exchange', 'mirror', 'kept-feeds', 'feeds', 'local') },
  apply(run, { node, actor }) {
    run.cluster.disturb(node, ACTOR_RESTART_MS)
    run.up(node)?.crashActor(actor)
  },
})

const ACTOR_RESTART_MS = 10_000

/** Trouble that only clusters with client agents have. */
export const clientFaults: readonly Kind[] = [serversAway, clientActorCrash]
