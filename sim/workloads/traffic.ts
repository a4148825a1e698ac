import { intentionsRef } from '../../actors/intentions/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { ms, upstream, upstreamName } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import type { Run } from '../run.ts'

export const traffic = defineWorkload({
  name: 'traffic',
  about: 'a program opens a connection to its upstream and keeps it open for a while',
  perMinute: 40,
  marks: [{ name: 'bytes through two sidecars', events: 40 }],
  fields: { upstream, forMs: ms(100, 20_000) },
  apply(run, { node, upstream: pair, forMs }) {
    const found = run.cluster.estate.upstreams.find((one) => one.node === node && upstreamName(one.source, one.destination) === pair)
    if (!found || !run.up(node)) return
    run.cluster.network.dial(node, { host: found.address, port: found.port }, (socket) => {
      if (isRefused(socket)) return run.reach('connection refused by the machine')
      socket.handlers = {
        data: () => run.reach('bytes through two sidecars'),
        closed: (how) => run.reach(`connection ${how}`),
      }
      socket.resume()
      socket.write(HELLO)
      run.world.after(forMs, () => socket.end())
    })
  },
})

export const deny = defineWorkload({
  name: 'intention.deny',
  about: 'an operator denies a service its upstream',
  perMinute: 6,
  oncePerRun: true,
  marks: [{ name: 'intention deny', events: 4 }],
  fields: { upstream },
  apply: (run, { node, upstream }) => put(run, node, upstream, 'deny'),
})
export const allow = defineWorkload({
  name: 'intention.allow',
  about: 'an operator allows a service its upstream',
  perMinute: 6,
  oncePerRun: true,
  marks: [{ name: 'intention allow', events: 4 }],
  fields: { upstream },
  apply: (run, { node, upstream }) => put(run, node, upstream, 'allow'),
})

const HELLO = new Uint8Array([1, 2, 3])

function put(run: Run, nodeName: string, pair: string, action: 'allow' | 'deny'): void {
  const node = run.up(nodeName)
  if (!node) return
  const [source = '', destination = ''] = pair.split(' > ')
  const decision = run.decision(pair)
  const turn = ++decision.asked
  // From here on the other answer may hold, until this or a later one is acknowledged.
  decision.deniedAtMs = undefined
  node.edge.ask(intentionsRef, 'put', { source, destination, action, description: '', permissions: 0, token: '' }, 8_000, (result) => {
    if (isRefused(result)) {
      decision.unsure = true
      return run.reach(`intention ${result.refused}`)
    }
    run.reach(`intention ${action}`)
    if (turn !== decision.asked || decision.unsure) return
    if (action === 'deny') decision.deniedAtMs = run.world.nowMs
  })
  // In one server's log nothing overtakes; in a shared one a change that nobody heard of again may still come.
  if (turn === decision.asked && !run.cluster.log) decision.unsure = false
}
