import { connectInstances } from '../../actors/catalog/queries.ts'
import { type Leaf, leafRef } from '../../actors/leaf/protocol.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { connectionsOf, placeOf } from '../connections.ts'
import { ms, oneOf, upstream } from '../fields.ts'
import { defineWorkload } from '../kind.ts'
import type { SimNode } from '../node.ts'
import { perRun } from '../per-run.ts'
import type { CertificateFacts } from '../ports/mesh-identity.ts'
import type { Hello } from '../ports/mesh-listener.ts'
import { readSimCertificate } from '../ports/signer.ts'
import type { SimSocket } from '../ports/socket.ts'
import type { Run } from '../run.ts'
import { pick } from '../streams.ts'
import { STRANGERS } from './intentions.ts'

/** What it shows: the leaf that its agent has for it, the first that it ever got, one signed by somebody else, that of another service. */
const shows = oneOf('leaf', 'leaf', 'leaf', 'old leaf', 'forged leaf', 'stolen leaf')
const WITHIN_MS = 5_000

/** A service in the mesh without a sidecar: it has a certificate and speaks mutual TLS itself. */
export const stranger = defineWorkload({
  name: 'traffic.native',
  about: 'a service without a sidecar dials the sidecar of another with a certificate of its own, or one that is not',
  perMinute: 8,
  marks: [
    { name: 'bytes from a service without a sidecar', events: 30 },
    { name: 'forged certificate shown', events: 20 },
    { name: 'certificate of another service shown', events: 30 },
  ],
  fields: { service: oneOf(...STRANGERS), upstream, shows, forMs: ms(100, 8_000) },
  apply(run, { node: name, service, upstream, shows, forMs }) {
    const node = run.up(name)
    if (!node) return
    node.edge.ask(leafRef, 'get', { service, token: '' }, WITHIN_MS, (result) => {
      if (isRefused(result)) return run.reach(`certificate ${result.refused}`)
      const { leaf } = result
      const first = oldLeaves(run).get(service) ?? leaf
      oldLeaves(run).set(service, first)
      const [source = '', destination = ''] = upstream.split(' > ')
      const visit = { service, destination, shows, forMs, leaf: shows === 'old leaf' ? first : leaf }
      if (!run.up(name)) return
      if (shows !== 'stolen leaf') return dial(run, node, visit)
      // What everybody may see of another service's certificate. Its key stays where it is.
      node.edge.ask(leafRef, 'get', { service: source, token: '' }, WITHIN_MS, (seen) => {
        if (!isRefused(seen) && run.up(name)) dial(run, node, { ...visit, stolenPem: seen.leaf.certPem })
      })
    })
  },
})

type Visit = { service: string; destination: string; shows: string; forMs: number; leaf: Leaf; stolenPem?: string }

/** The first leaf of each service. */
const oldLeaves = perRun((_run: Run) => new Map<string, Leaf>())

function dial(run: Run, node: SimNode, { service, destination, shows, forMs, leaf, stolenPem }: Visit): void {
  const chain = chainOf(stolenPem ?? leaf.certPem, shows === 'forged leaf')
  const keyId = chainOf(leaf.certPem, false)[0]?.keyId ?? ''
  const { instances } = connectInstances(run.cluster.stateFor(node.name).tables.view(), destination)
  if (instances.length === 0 || chain.length === 0) return
  const { node: there, instance } = pick(run.world.streams.stream('strangers'), instances)
  const connections = connectionsOf(run)
  connections.asked.follow(service, destination)
  const isForged = shows === 'forged leaf'
  const isOver = hasEnded(run, leaf)
  const greeting = connections.dialled({ source: service, destination, atMs: run.world.nowMs, hasLeaf: !isForged && !isOver && !stolenPem })
  if (stolenPem) run.reach('certificate of another service shown')
  else if (isForged) run.reach('forged certificate shown')
  else if (isOver) run.reach('expired certificate shown')
  const host = instance.address === '' ? there.address : instance.address
  run.cluster.network.dial(node.name, { host, port: instance.port }, (socket) => {
    if (isRefused(socket)) return
    const place = placeOf(node.name, `${socket.local.address}:${socket.local.port}`)
    connections.strangers.set(place, service)
    socket.handlers = {
      hello: (content) => {
        if ((content as Hello).flight !== 'server') return
        const answer: Hello = { flight: 'client-finished', chain, keyId }
        socket.hello(answer)
        socket.write(greeting)
      },
      data: () => run.reach('bytes from a service without a sidecar'),
      closed: () => connections.strangers.delete(place),
    }
    begin(run, socket, forMs)
  })
}

function begin(run: Run, socket: SimSocket, forMs: number): void {
  const first: Hello = { flight: 'client-hello' }
  socket.hello(first)
  socket.resume()
  run.world.after(forMs, () => socket.reset())
}

/** The facts of a leaf and of what comes with it; with another issuer and nothing else if it is forged. */
function chainOf(pem: string, isForged: boolean): CertificateFacts[] {
  const [leaf, ...above] = pem.split(/(?<=-----END CERTIFICATE-----\n)/).flatMap((one) => {
    const facts = readSimCertificate(one)
    return isRefused(facts) ? [] : [facts]
  })
  if (!leaf) return []
  return isForged ? [{ ...leaf, authorityKeyId: leaf.keyId ?? '' }] : [leaf, ...above]
}

/** Whether no machine may believe that the leaf is still valid. */
function hasEnded(run: Run, { validBeforeMs }: Leaf): boolean {
  return [...run.cluster.nodes.values()].every(({ clock }) => clock.wallMs() > validBeforeMs)
}
