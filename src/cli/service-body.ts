import type {
  CheckDefinition,
  ConnectDefinition,
  ProxyDefinition,
  ServiceDefinition,
  UpstreamDefinition,
} from '../../actors/definitions.ts'
import { formatDuration } from '../config/durations.ts'

/** A definition as the body of `PUT /v1/agent/service/register`. What is empty is left out, so that agents of any age take it. */
export function serviceBody(service: ServiceDefinition): object {
  return filled({
    Kind: service.kind,
    ID: service.id,
    Name: service.name,
    Tags: service.tags,
    Address: service.address,
    TaggedAddresses: Object.fromEntries(
      Object.entries(service.taggedAddresses).map(([name, { address, port }]) => [name, { Address: address, Port: port }]),
    ),
    Meta: service.meta,
    Port: service.port,
    SocketPath: service.socketPath,
    EnableTagOverride: service.enableTagOverride,
    Weights: { Passing: service.weights.passing, Warning: service.weights.warning },
    Token: service.token,
    Checks: service.checks.map(checkBody),
    Proxy: service.proxy && proxyBody(service.proxy),
    Connect: service.connect && connectBody(service.connect),
  })
}

function checkBody(check: CheckDefinition): object {
  return filled({
    CheckID: check.id,
    Name: check.name,
    Notes: check.notes,
    Status: check.status,
    TTL: durationText(check.ttlMs),
    Interval: durationText(check.intervalMs),
    Timeout: durationText(check.timeoutMs),
    Args: check.args,
    HTTP: check.http,
    Method: check.http === '' ? '' : check.method,
    Header: check.header,
    Body: check.body,
    DisableRedirects: check.disableRedirects,
    TLSServerName: check.tlsServerName,
    TLSSkipVerify: check.tlsSkipVerify,
    TCP: check.tcp,
    AliasNode: check.aliasNode,
    AliasService: check.aliasService,
    GRPC: check.grpc,
    GRPCUseTLS: check.grpcUseTls,
    H2PING: check.h2ping,
    DockerContainerID: check.dockerContainerId,
    Shell: check.shell,
    SuccessBeforePassing: check.successBeforePassing,
    FailuresBeforeCritical: check.failuresBeforeCritical,
    DeregisterCriticalServiceAfter: durationText(check.deregisterCriticalServiceAfterMs),
    OutputMaxSize: check.outputMaxSize,
  })
}

function connectBody({ native, proxy, sidecarService }: ConnectDefinition): object {
  const managed = proxy && { ExecMode: proxy.execMode, ...filled({ Command: proxy.command, Config: proxy.config.opaque }) }
  return {
    ...filled({ Native: native, SidecarService: sidecarService && serviceBody(sidecarService) }),
    ...(managed && { Proxy: managed }),
  }
}

function proxyBody(proxy: ProxyDefinition): object {
  return filled({
    DestinationServiceName: proxy.destinationServiceName,
    DestinationServiceID: proxy.destinationServiceId,
    LocalServiceAddress: proxy.localServiceAddress,
    LocalServicePort: proxy.localServicePort,
    LocalServiceSocketPath: proxy.localServiceSocketPath,
    Mode: proxy.mode,
    Config: proxy.config,
    Upstreams: proxy.upstreams.map(upstreamBody),
    MeshGateway: filled({ Mode: proxy.meshGateway.mode }),
    Expose: filled({
      Checks: proxy.expose.checks,
      Paths: proxy.expose.paths.map(({ listenerPort, path, localPathPort, protocol }) =>
        filled({ ListenerPort: listenerPort, Path: path, LocalPathPort: localPathPort, Protocol: protocol }),
      ),
    }),
    TransparentProxy: filled({
      OutboundListenerPort: proxy.transparentProxy.outboundListenerPort,
      DialedDirectly: proxy.transparentProxy.dialedDirectly,
    }),
  })
}

function upstreamBody(upstream: UpstreamDefinition): object {
  return filled({
    DestinationType: upstream.destinationType,
    DestinationNamespace: upstream.destinationNamespace,
    DestinationName: upstream.destinationName,
    Datacenter: upstream.datacenter,
    LocalBindAddress: upstream.localBindAddress,
    LocalBindPort: upstream.localBindPort,
    LocalBindSocketPath: upstream.localBindSocketPath,
    LocalBindSocketMode: upstream.localBindSocketMode,
    Config: upstream.config,
    MeshGateway: filled({ Mode: upstream.meshGateway.mode }),
  })
}

function durationText(ms: number): string {
  return ms === 0 ? '' : formatDuration(ms)
}

/** Without fields that are empty: '', 0, false, an empty list or object, or absent. */
function filled(fields: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)))
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === undefined || value === '' || value === 0 || value === false
}
