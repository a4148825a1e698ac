import type { Config } from '../../src/config/config.ts'
import { askingPeer, askingServer } from '../../src/kernel/far.ts'
import type { Devices } from '../../src/kernel/ports.ts'
import type { Layout } from '../../src/placement.ts'
import { createGossip } from './index.ts'
import { withKeyring } from './keyring.ts'
import { createLinks, type Links } from './links.ts'

export type Pool = { gossip: Devices['gossip']; links: Links; close(): Promise<void> }

/** This agent's end of a pool: that of the agents of its datacenter or, `wan`, of the servers of all. Each has peers, keys and links of its own. */
export function openPool({ config, layout, wan }: { config: Config; layout: Layout; wan: boolean }): Pool {
  const { devMode, dataDir, datacenter, keys } = config
  const acceptLink: Links['accept'] = (peer, stream) => links.accept(peer, stream)
  const dataDirectory = devMode ? undefined : dataDir
  const identity = wan ? { identityName: 'wan-peer.key' } : {}
  const gossip = createGossip({ dataDirectory, acceptLink, ...identity })
  const node = wan ? `${config.node.name}.${datacenter}` : config.node.name
  const links = createLinks({ node, layout, open: gossip.openLink, asking: wan ? askingServer : askingPeer })
  const keptIn = devMode || keys['disable_keyring_file'] === true ? undefined : dataDir
  return {
    gossip: withKeyring(gossip, keptIn, wan ? 'remote.keyring' : 'local.keyring'),
    links,
    async close() {
      links.close()
      await gossip.close()
    },
  }
}
