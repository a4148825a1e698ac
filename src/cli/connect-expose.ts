import { defineRefusedCommand } from './refused-command.ts'

export const connectExposeCommand = defineRefusedCommand({
  summary: 'Refused: there are no ingress gateways',
  usage: 'connect expose [options]',
  about: `
Would expose a service of the mesh through an ingress gateway. Agents of this program have no ingress gateways; "connect proxy" with -upstream gives a machine outside of the mesh a way in.
`,
  answers: 'servers',
  flags: {
    host: { kind: 'strings', about: 'Name of a host for which the gateway listens. May be repeated.' },
    'ingress-gateway': { kind: 'string', about: 'Name of the gateway.' },
    port: { kind: 'int', about: 'Port on which the gateway listens.' },
    protocol: { kind: 'string', about: 'Protocol of the listener.' },
    service: { kind: 'string', about: 'Name of the service.' },
  },
  why: 'Ingress gateways are not supported: "connect proxy -upstream" opens a way to a service from outside of the mesh',
})
