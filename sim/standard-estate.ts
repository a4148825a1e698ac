import { type Estate, estateOf } from './estate.ts'

/** Where the application web finds db, as the standard configuration says. */
export const WEB_UPSTREAM_PORT = 9191
const DB_PORT = 8081
const WEB_PORT = 8080
const CLIENT = /^c\d+$/
/** In a large cluster db runs on the first agents only, as services do. */
const DBS_MAX = 5

/** Whether the agent of this name is a client in the standard estate: c1, c2, … */
export function isClient(name: string): boolean {
  return CLIENT.test(name)
}

/**
 * Agents as anybody would configure them, with services in the mesh: web everywhere, which has db as its upstream. Where there are clients,
 * services run on these only.
 */
export function standardEstate(names: readonly string[], checkEveryMs: number): Estate {
  // Whether a sidecar listens is for the simulated network to say, not for a probe.
  const disable_tcp_check = true
  const db = {
    name: 'db',
    port: DB_PORT,
    connect: { proxy: { config: { disable_tcp_check } } },
    check: { tcp: `127.0.0.1:${DB_PORT}`, interval: `${checkEveryMs}ms` },
  }
  const web = {
    name: 'web',
    port: WEB_PORT,
    connect: { proxy: { config: { disable_tcp_check, upstreams: [{ destination_name: 'db', local_bind_port: WEB_UPSTREAM_PORT }] } } },
  }
  const hosts = hostsOf(names)
  const servicesOn = (name: string) => (!hosts.includes(name) ? [] : hosts.indexOf(name) < DBS_MAX ? [db, web] : [web])
  return estateOf(
    names.map((name, at) => ({
      name,
      address: addressOf(at),
      files: { '/etc/services.json': JSON.stringify({ connect: { enabled: true }, session_ttl_min: '1s', services: servicesOn(name) }) },
      flags: [...(isClient(name) ? [] : ['-server', '-bootstrap']), '-data-dir=/data', '-config-file=/etc/services.json'],
    })),
  )
}

/** What the services of the standard estate dial, without loading a configuration. */
export function standardUpstreams(names: readonly string[]): { node: string; source: string; destination: string }[] {
  return hostsOf(names).map((node) => ({ node, source: 'web', destination: 'db' }))
}

/** Those that run services. */
function hostsOf(names: readonly string[]): readonly string[] {
  return names.some(isClient) ? names.filter(isClient) : names
}

/** An address of the machine at this place in the list, from 10.0.0.0/8. */
function addressOf(at: number): string {
  const number = at + 1
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
}
