import type { ProxyDefinition, ServiceAddress, UpstreamDefinition } from '../../actors/definitions.ts'

/** JSON of a proxy's part in the catalog and, with `agent`, in the agent's own lists, which leave empty fields out. Source: http-api §2.2, §3. */
export function proxyShape(proxy: ProxyDefinition | undefined, of: 'catalog' | 'agent'): Record<string, unknown> {
  if (proxy === undefined) return of === 'catalog' ? { Mode: '', MeshGateway: {}, Expose: {} } : { MeshGateway: {}, Expose: {} }
  const { transparentProxy, config, upstreams, expose, mode } = proxy
  const isTransparent = transparentProxy.outboundListenerPort !== 0 || transparentProxy.dialedDirectly
  return {
    ...(isTransparent && {
      TransparentProxy: {
        ...(transparentProxy.outboundListenerPort !== 0 && { OutboundListenerPort: transparentProxy.outboundListenerPort }),
        ...(transparentProxy.dialedDirectly && { DialedDirectly: true }),
      },
    }),
    ...(proxy.destinationServiceName !== '' && { DestinationServiceName: proxy.destinationServiceName }),
    ...(proxy.destinationServiceId !== '' && { DestinationServiceID: proxy.destinationServiceId }),
    ...(proxy.localServiceAddress !== '' && { LocalServiceAddress: proxy.localServiceAddress }),
    ...(proxy.localServicePort !== 0 && { LocalServicePort: proxy.localServicePort }),
    ...(proxy.localServiceSocketPath !== '' && { LocalServiceSocketPath: proxy.localServiceSocketPath }),
    ...((of === 'catalog' || mode !== '') && { Mode: mode }),
    ...(Object.keys(config).length > 0 && { Config: config }),
    ...(upstreams.length > 0 && { Upstreams: upstreams.map((upstream) => upstreamShape(upstream, of)) }),
    MeshGateway: modeShape(proxy.meshGateway.mode),
    Expose: {
      ...(expose.checks && { Checks: true }),
      ...(expose.paths.length > 0 && {
        Paths: expose.paths.map(({ listenerPort, path, localPathPort, protocol }) => ({
          ListenerPort: listenerPort,
          Path: path,
          LocalPathPort: localPathPort,
          Protocol: protocol,
        })),
      }),
    },
  }
}

export function taggedAddressesShape(tagged: Readonly<Record<string, ServiceAddress>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(tagged).map(([name, { address, port }]) => [name, { Address: address, Port: port }]))
}

function upstreamShape(upstream: UpstreamDefinition, of: 'catalog' | 'agent'): Record<string, unknown> {
  const { destinationNamespace, datacenter, localBindAddress, localBindPort, localBindSocketPath, localBindSocketMode, config } = upstream
  return {
    DestinationType: upstream.destinationType,
    ...(destinationNamespace !== '' && { DestinationNamespace: destinationNamespace }),
    DestinationName: upstream.destinationName,
    ...((of === 'catalog' || datacenter !== '') && { Datacenter: datacenter }),
    ...(localBindAddress !== '' && { LocalBindAddress: localBindAddress }),
    ...(localBindPort !== 0 && { LocalBindPort: localBindPort }),
    ...(localBindSocketPath !== '' && { LocalBindSocketPath: localBindSocketPath }),
    ...(localBindSocketMode !== '' && { LocalBindSocketMode: localBindSocketMode }),
    ...(Object.keys(config).length > 0 && { Config: config }),
    MeshGateway: modeShape(upstream.meshGateway.mode),
  }
}

function modeShape(mode: string): Record<string, unknown> {
  return mode === '' ? {} : { Mode: mode }
}
