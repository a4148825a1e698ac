import { type Call, type Feed, refOf } from '../../src/kernel/protocol.ts'
import type { Coordinate } from '../coordinates/tables.ts'
import type { MemberStatus } from '../membership/protocol.ts'

/** Which datacenters there are, as far as this server knows from the gossip of all servers. */
export type DatacentersProtocol = {
  show: Call<null, Datacenters>
  /** The same, each time something of it has changed. */
  all: Feed<null, Datacenters>
}
export const datacentersRef = refOf<DatacentersProtocol>('datacenters')

/** By name, the own one included; also those of which no server is there at present. */
export type Datacenters = { datacenters: Datacenter[] }
/** `servers` are by name. */
export type Datacenter = { name: string; servers: DatacenterServer[] }
/** `node`: its name in its datacenter; `name`: that among all, `node.datacenter`. `coordinate`: where it is, of those that this server has
 * asked or been told. */
export type DatacenterServer = {
  node: string
  name: string
  address: string
  port: number
  status: MemberStatus
  coordinate?: Coordinate
}

/** `enabled`: this server takes part in the gossip of all servers; without that it knows itself alone. `address` and `port`: where others
 * would reach it by that. */
export type DatacentersArgs = { enabled: boolean; node: string; datacenter: string; address: string; port: number }
