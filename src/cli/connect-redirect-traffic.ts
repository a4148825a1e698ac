import { defineRefusedCommand } from './refused-command.ts'

export const connectRedirectTrafficCommand = defineRefusedCommand({
  summary: 'Refused: proxies are not transparent',
  usage: 'connect redirect-traffic [options]',
  about: `
Would make the system send the traffic of this machine through a transparent proxy. Sidecar proxies of this program listen on a port for each upstream instead.
`,
  answers: 'agent',
  namespaced: true,
  flags: {
    'exclude-inbound-port': { kind: 'strings', about: 'A port that stays as it is, for connections to this machine. May be repeated.' },
    'exclude-outbound-cidr': { kind: 'strings', about: 'A network that stays as it is. May be repeated.' },
    'exclude-outbound-port': { kind: 'strings', about: 'A port that stays as it is, for connections from this machine. May be repeated.' },
    'exclude-uid': { kind: 'strings', about: 'A user whose traffic stays as it is. May be repeated.' },
    netns: { kind: 'string', about: 'Network namespace.' },
    'proxy-id': { kind: 'string', about: "ID of the proxy's own service with the agent." },
    'proxy-inbound-port': { kind: 'int', about: 'Port of the proxy for connections to this machine.' },
    'proxy-outbound-port': { kind: 'int', about: 'Port of the proxy for connections from this machine.' },
    'proxy-uid': { kind: 'string', about: 'User that the proxy runs as.' },
  },
  why: 'Transparent proxies are not supported: a sidecar listens on a port of its own for each upstream',
})
