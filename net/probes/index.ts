import type { Device, ProbeOutcome, ProbeRequest } from '../../src/kernel/ports.ts'
import { dockerProbe } from './docker.ts'
import { freePortProbe } from './free-port.ts'
import { h2pingProbe } from './h2ping.ts'
import { httpProbe } from './http.ts'
import { critical, type Probe } from './probe.ts'
import { scriptProbe } from './script.ts'
import { tcpProbe } from './tcp.ts'

/** Its client holds 17 MB on each thread that loads it, so that waits for the first check that needs it. */
const grpcProbe: Probe<'grpc'> = (request, done) => {
  import('./grpc.ts').then(
    ({ grpcProbe: probe }) => probe(request, done),
    (error: unknown) => done(critical(String(error))),
  )
}

/** What can be looked at: one line for each kind. */
const PROBES: { [Kind in ProbeRequest['kind']]: Probe<Kind> } = {
  script: scriptProbe,
  http: httpProbe,
  tcp: tcpProbe,
  grpc: grpcProbe,
  h2ping: h2pingProbe,
  docker: dockerProbe,
  'free-port': freePortProbe,
}

/** Looks at programs, web servers, containers and ports. Each probe ends by itself within its timeout; nothing is kept between probes. */
export function createProbes(): Device<ProbeRequest, ProbeOutcome> {
  return {
    perform(request, done) {
      let isDone = false
      start(request, (outcome) => {
        if (isDone) return
        isDone = true
        done(outcome)
      })
    },
  }
}

function start<Kind extends ProbeRequest['kind']>(request: Extract<ProbeRequest, { kind: Kind }>, done: Parameters<Probe<Kind>>[1]): void {
  const kind: Kind = request.kind as Kind
  PROBES[kind](request, done)
}
