import { isIP } from 'node:net'
import type { HttpConfig } from '../config/config.ts'
import type { HttpReply, HttpRequest } from './route.ts'

type Said = { method: string; headers: HttpRequest['headers'] }

/** Why a request is not what this agent's own clients send, but what a web page somewhere makes its reader's browser send. */
export function createBrowserGate({ allowHosts, responseHeaders }: HttpConfig): (said: Said) => HttpReply | undefined {
  const hosts = new Set(['localhost', ...allowHosts.map((host) => host.toLowerCase())])
  const opened = Object.entries(responseHeaders).find(([name]) => name.toLowerCase() === 'access-control-allow-origin')?.[1]
  return ({ method, headers }) => {
    const host = textOf(headers['host'])
    if (allowHosts.length > 0 && !isAllowed(hosts, hostName(host))) {
      return { status: 403, text: `Host ${JSON.stringify(host)} is not allowed by http_config.allow_hosts` }
    }
    const origin = headers['origin']
    if (origin === undefined || method !== 'POST' || !needsNoPreflight(textOf(headers['content-type']))) return undefined
    if (opened === '*' || opened === origin || isSameSite(textOf(origin), host)) return undefined
    return { status: 403, text: `A web page of ${JSON.stringify(textOf(origin))} may not write here` }
  }
}

/** An address cannot be pointed elsewhere, so it needs no permission. Clients without a host are no browsers. */
function isAllowed(hosts: ReadonlySet<string>, name: string): boolean {
  return name === '' || isIP(name) !== 0 || hosts.has(name)
}

/** `Example.com.:8500` → `example.com`; `[::1]:8500` → `::1`. */
function hostName(host: string): string {
  const address = /^\[([^\]]*)\]/.exec(host)?.[1]
  return address ?? host.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** Bodies that browsers send to other sites without asking those first. Source: Fetch standard, CORS-safelisted request-header. */
function needsNoPreflight(type: string): boolean {
  const essence = (type.split(';')[0] ?? '').trim().toLowerCase()
  return ['', 'text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded'].includes(essence)
}

function isSameSite(origin: string, host: string): boolean {
  return /^https?:\/\/(.*)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase()
}

function textOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? (header[0] ?? '') : (header ?? '')
}
