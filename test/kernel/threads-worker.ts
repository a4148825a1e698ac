import type { MessagePort } from 'node:worker_threads'
import { linkOver } from '../../net/worker.ts'
import { shopHost } from './threads-shop.ts'

/** Thread 1 with a shop, until the first message on `control`. Linked to thread 0 as the agent's threads are. */
export default function work({ link, control }: { link: MessagePort; control: MessagePort }): Promise<void> {
  const host = shopHost(1)
  linkOver({ receive: (peer, batch) => host.receive(peer, batch as Uint8Array), link: (peer, send) => host.connect(peer, send) }, 0, link)
  host.start('shop', '', null)
  return new Promise((resolve) => {
    control.once('message', () => {
      host.close()
      link.close()
      control.close()
      resolve()
    })
  })
}
