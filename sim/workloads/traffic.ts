import { intentionsRef } from '../../actors/intentions/index.ts'
import type { Random } from '../../src/kernel/ports.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import type { Kind } from '../plan.ts'
import type { Run } from '../run.ts'

/** Where web finds db, as its configuration says. */
export const WEB_UPSTREAM_PORT = 9191

/** The application web opens a connection to db and keeps it open for a while. */
export const traffic: Kind<Run> = {
  name: 'traffic',
  perMinute: 40,
  draw: (random: Random) => ({ forMs: random.int(100, 20_000) }),
  apply(run, { node, forMs }) {
    if (!run.up(node)) return
    run.network.dial(node, { host: '127.0.0.1', port: WEB_UPSTREAM_PORT }, (socket) => {
      if (isRefused(socket)) return run.reach('connection refused by the machine')
      socket.handlers = {
        data: () => run.reach('bytes through two sidecars'),
        closed: (how) => run.reach(`connection ${how}`),
      }
      socket.resume()
      socket.write(new Uint8Array([1, 2, 3]))
      run.world.after(Number(forMs), () => socket.end())
    })
  },
}

export const deny: Kind<Run> = {
  name: 'intention.deny',
  perMinute: 6,
  draw: () => ({}),
  apply: (run, { node }) => decide(run, node, 'deny'),
}
export const allow: Kind<Run> = {
  name: 'intention.allow',
  perMinute: 6,
  draw: () => ({}),
  apply: (run, { node }) => decide(run, node, 'allow'),
}

function decide(run: Run, nodeName: string, action: 'allow' | 'deny'): void {
  const node = run.up(nodeName)
  if (!node) return
  const decided = run.intentionOf(nodeName)
  const turn = ++decided.asked
  // From here on the other answer may hold, until this or a later one is acknowledged.
  decided.deniedAtMs = undefined
  node.edge.ask(
    intentionsRef,
    'put',
    { source: 'web', destination: 'db', action, description: '', permissions: 0, token: '' },
    8_000,
    (result) => {
      if (isRefused(result)) {
        decided.unsure = true
        return run.reach(`intention ${result.refused}`)
      }
      run.reach(`intention ${action}`)
      if (turn !== decided.asked || decided.unsure) return
      if (action === 'deny') decided.deniedAtMs = run.world.nowMs
    },
  )
  if (turn === decided.asked) decided.unsure = false
}
