import { defineRefusedCommand } from './refused-command.ts'

export const connectEnvoyCommand = defineRefusedCommand({
  summary: 'Refused: agents run sidecar proxies of their own',
  usage: 'connect envoy [options]',
  about: `
Would run Envoy as a proxy. Agents of this program do not configure Envoy: they run a sidecar proxy of their own for every service whose definition asks for one, and "connect proxy" runs one by hand.
`,
  answers: 'agent',
  namespaced: true,
  flags: {
    address: { kind: 'string', about: 'LAN address to advertise for a gateway.' },
    'admin-access-log-path': { kind: 'string', about: "File for the log of Envoy's admin server." },
    'admin-bind': { kind: 'string', about: "Address and port of Envoy's admin server." },
    'bind-address': { kind: 'pairs', about: 'An address to bind of a gateway, as name=address:port. May be repeated.' },
    bootstrap: { kind: 'boolean', about: "Print Envoy's bootstrap configuration instead of running it." },
    'deregister-after-critical': { kind: 'string', about: 'How long a gateway may be critical before it is deregistered.' },
    'envoy-binary': { kind: 'string', about: 'Path of Envoy.' },
    'envoy-version': { kind: 'string', about: 'Version of Envoy.' },
    'expose-servers': { kind: 'boolean', about: 'Expose servers through a mesh gateway.' },
    gateway: { kind: 'string', about: 'Kind of gateway: "mesh", "terminating" or "ingress".' },
    'grpc-addr': { kind: 'string', about: "Address of the agent's gRPC API." },
    'mesh-gateway': { kind: 'boolean', about: 'The same as -gateway=mesh.' },
    'no-central-config': { kind: 'boolean', about: 'Do not use central configuration.' },
    'omit-deprecated-tags': { kind: 'boolean', about: 'Leave deprecated tags out of metrics.' },
    'prometheus-backend-port': { kind: 'string', about: 'Port of metrics that are merged.' },
    'prometheus-scrape-path': { kind: 'string', about: 'Path of metrics.' },
    'proxy-id': { kind: 'string', about: "ID of the proxy's own service with the agent." },
    register: { kind: 'boolean', about: 'Register a gateway first.' },
    service: { kind: 'string', about: 'Name under which a gateway is registered.' },
    'sidecar-for': { kind: 'string', about: 'ID of the service that the proxy is for.' },
    'wan-address': { kind: 'string', about: 'WAN address to advertise for a gateway.' },
  },
  why: 'Envoy is not supported: the agent runs sidecar proxies by itself, and "connect proxy" runs one by hand',
})
