import type { AnyActor } from './kernel/instance.ts'
import type { Role } from './placement.ts'

/** What has to be loaded for the actors of a role. Most are on the state thread, which therefore has all. */
const LOADERS: Readonly<Record<Role, () => Promise<readonly object[]>>> = {
  state: async () => (await import('../actors/index.ts')).actors,
  async main() {
    const [{ agent }, { checks }, { remoteExec }, { decisions }, { formation }, { daemons }, { relay }] = await Promise.all([
      import('../actors/agent.ts'),
      import('../actors/checks/index.ts'),
      import('../actors/remote-exec/index.ts'),
      import('../actors/decisions/index.ts'),
      import('../actors/formation/index.ts'),
      import('../actors/daemons/index.ts'),
      import('../actors/relay.ts'),
    ])
    return [agent, checks, remoteExec, decisions, formation, daemons, relay]
  },
  async edge() {
    const [{ exchange }, { watches }] = await Promise.all([import('../actors/exchange/index.ts'), import('../actors/watches/index.ts')])
    return [exchange, watches]
  },
  mesh: async () => [(await import('../actors/proxy/index.ts')).proxy],
  async gossip() {
    const [{ membership, wanMembership }, { router }, { datacenters }] = await Promise.all([
      import('../actors/membership/index.ts'),
      import('../actors/router/index.ts'),
      import('../actors/datacenters/index.ts'),
    ])
    return [membership, wanMembership, router, datacenters]
  },
}

/** The actors that may run on a thread with these roles: those of its roles at least, so that it loads little else. */
export async function definitionsFor(roles: readonly Role[]): Promise<readonly AnyActor[]> {
  const lists = await Promise.all((roles.includes('state') ? ['state' as const] : roles).map((role) => LOADERS[role]()))
  return lists.flat() as unknown as readonly AnyActor[]
}
