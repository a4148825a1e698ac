import type { MeshLimits, MeshRequest } from './kernel/ports.ts'

/** What is wrong with a request to listen, with the field; undefined if nothing is. */
export function listenProblem(request: Extract<MeshRequest, { do: 'listen' }>): string | undefined {
  const { port, socketPath, socketMode = 0 } = request
  if (!socketPath && !isPort(port, 0)) return `port: must be a whole number from 0 to 65535, got ${port}`
  if (!Number.isInteger(socketMode) || socketMode < 0 || socketMode > 0o7777) return `socketMode: must be a file mode, got ${socketMode}`
  return limitsProblem(request)
}

export function limitsProblem({ handshakeMs, connectionsMax, perSecondMax = 1 }: MeshLimits): string | undefined {
  if (!(handshakeMs > 0)) return `handshakeMs: must be above 0, got ${handshakeMs}`
  if (!Number.isInteger(connectionsMax) || connectionsMax < 0) return `connectionsMax: must be a whole number, got ${connectionsMax}`
  if (!Number.isInteger(perSecondMax) || perSecondMax < 1) return `perSecondMax: must be a whole number above 0, got ${perSecondMax}`
  return undefined
}

export function connectProblem({ host, port, socketPath, withinMs }: Extract<MeshRequest, { do: 'connect' }>): string | undefined {
  if (!(withinMs > 0)) return `withinMs: must be above 0, got ${withinMs}`
  if (socketPath) return undefined
  if (host === '') return 'host: must not be empty'
  return isPort(port, 1) ? undefined : `port: must be a whole number from 1 to 65535, got ${port}`
}

function isPort(port: number, least: number): boolean {
  return Number.isInteger(port) && port >= least && port <= 65_535
}
