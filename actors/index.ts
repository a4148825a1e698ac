import type { AnyActor } from '../src/kernel/instance.ts'
import { agent } from './agent.ts'
import { autopilot } from './autopilot/index.ts'
import { ca } from './ca/index.ts'
import { catalog } from './catalog/index.ts'
import { checks } from './checks/index.ts'
import { configEntries } from './config-entries/index.ts'
import { coordinates } from './coordinates/index.ts'
import { whereabouts } from './coordinates/whereabouts.ts'
import { daemons } from './daemons/index.ts'
import { datacenters } from './datacenters/index.ts'
import { decisions } from './decisions/index.ts'
import { events } from './events/index.ts'
import { exchange } from './exchange/index.ts'
import { feeds } from './feeds/index.ts'
import { formation } from './formation/index.ts'
import { intentions } from './intentions/index.ts'
import { keptFeeds } from './kept-feeds/index.ts'
import { kv } from './kv/index.ts'
import { leaf } from './leaf/index.ts'
import { ledger } from './ledger.ts'
import { local } from './local/index.ts'
import { membership, wanMembership } from './membership/index.ts'
import { mirror } from './mirror/index.ts'
import { preparedQueries } from './prepared-queries/index.ts'
import { proxies } from './proxies/index.ts'
import { proxy } from './proxy/index.ts'
import { reconcile } from './reconcile/index.ts'
import { relay } from './relay.ts'
import { remoteExec } from './remote-exec/index.ts'
import { router } from './router/index.ts'
import { sessions } from './sessions/index.ts'
import { snapshots } from './snapshots/index.ts'
import { txn } from './txn/index.ts'
import { watches } from './watches/index.ts'

/** Everything that can be started, whatever its protocol. */
export const actors: readonly AnyActor[] = [
  agent,
  ledger,
  kv,
  txn,
  snapshots,
  catalog,
  local,
  checks,
  coordinates,
  whereabouts,
  preparedQueries,
  events,
  exchange,
  membership,
  wanMembership,
  router,
  remoteExec,
  ca,
  leaf,
  intentions,
  datacenters,
  decisions,
  configEntries,
  autopilot,
  formation,
  feeds,
  keptFeeds,
  mirror,
  proxies,
  proxy,
  daemons,
  reconcile,
  relay,
  sessions,
  watches,
] as unknown as readonly AnyActor[]
