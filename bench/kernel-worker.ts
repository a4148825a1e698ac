import type { MessagePort } from 'node:worker_threads'
import { benchHost } from './kernel-host.ts'

/** The answering side of the kernel benchmark, in a worker thread. */
export default function work({ port }: { port: MessagePort }): Promise<void> {
  const host = benchHost(1)
  host.connect(0, (batch) => port.postMessage(batch))
  port.on('message', (batch: Uint8Array) => host.receive(0, batch))
  host.start('echo', '', null)
  return new Promise(() => undefined)
}
