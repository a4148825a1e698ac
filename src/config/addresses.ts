import { isIP } from 'node:net'
import { isRefused, type Result, refuse } from '../kernel/refusal.ts'
import type { InterfaceAddress } from './host.ts'

/**
 * Fills in the templates of an address: `{{ GetPrivateIP }}`, `{{ GetPublicIP }}`, `{{ GetInterfaceIP "eth0" }}` and their plurals,
 * which give all addresses with spaces between. Refuses every other template. Source: go-sockaddr's template functions.
 */
export function expandAddress(text: string, interfaces: readonly InterfaceAddress[]): Result<string> {
  let problem: string | undefined
  const expanded = text.replaceAll(/\{\{(.*?)\}\}/gs, (_whole, inner: string) => {
    const call = /^\s*-?\s*(\w+)(?:\s+(?:"([^"]*)"|`([^`]*)`))?\s*-?\s*$/.exec(inner)
    const found = call?.[1] === undefined ? undefined : TEMPLATES[call[1]]?.(interfaces, call[2] ?? call[3])
    if (found === undefined) {
      problem ??= `address template {{${inner}}} is not supported by this version, only ${Object.keys(TEMPLATES).join(', ')}`
    }
    return found ?? ''
  })
  if (problem === undefined && expanded.includes('{{')) problem = `unable to parse address template ${JSON.stringify(text)}: }} is missing`
  return problem === undefined ? expanded.trim() : refuse('invalid', problem)
}

/** An address that must be one IP address once expanded. `key` names it in errors. */
export function expandIp(key: string, text: string, interfaces: readonly InterfaceAddress[]): Result<string> {
  const expanded = expandAddress(text, interfaces)
  if (isRefused(expanded)) return refuse('invalid', `${key}: ${expanded.why}`)
  if (expanded === '') return refuse('invalid', `${key} cannot be empty`)
  const bare = expanded.replace(/^\[(.*)\]$/, '$1')
  return isIP(bare) === 0 ? refuse('invalid', `${key} must be an ip address`) : bare
}

/** Addresses with spaces between, once expanded: IP addresses, and `unix://` paths where they may be. */
export function expandList(key: string, text: string, interfaces: readonly InterfaceAddress[]): Result<string[]> {
  const expanded = expandAddress(text, interfaces)
  if (isRefused(expanded)) return refuse('invalid', `${key}: ${expanded.why}`)
  const addresses = [...new Set(expanded.split(/\s+/).filter((one) => one !== ''))]
  for (const address of addresses) {
    if (!address.startsWith('unix://') && isIP(bareIp(address)) === 0) {
      return refuse('invalid', `${key}: ${JSON.stringify(address)} must be an ip address${key === 'client_addr' ? '' : ' or unix:///path'}`)
    }
  }
  return addresses.map((one) => (one.startsWith('unix://') ? one : bareIp(one)))
}

/** `ip`, `ip:port` or `[ip]:port`, with port 53 if it has none. */
export function withDnsPort(key: string, text: string): Result<string> {
  if (isIP(text) !== 0) return text.includes(':') ? `[${text}]:53` : `${text}:53`
  const parts = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  const host = parts?.[1] ?? parts?.[2] ?? ''
  const port = Number(parts?.[3] ?? 53)
  if (isIP(host) === 0 || port < 1 || port > 65535) return refuse('invalid', `${key}: ${JSON.stringify(text)} must be ip or ip:port`)
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The one address of this machine by which others reach it, for an agent that listens on all of them. */
export function ownAddress(family: 4 | 6, interfaces: readonly InterfaceAddress[]): Result<string> {
  const kind = family === 4 ? 'private IPv4' : 'public IPv6'
  const fits = family === 4 ? isPrivate : isPublic
  const found = interfaces.filter((one) => one.family === family && fits(one))
  const [first, second] = found
  if (first === undefined) return refuse('missing', `No ${kind} address found`)
  if (second === undefined) return first.address
  return refuse('invalid', `Multiple ${kind} addresses found. Please configure one with 'bind' and/or 'advertise'.`)
}

type Template = (interfaces: readonly InterfaceAddress[], name: string | undefined) => string | undefined

const TEMPLATES: Readonly<Record<string, Template>> = {
  GetPrivateIP: (interfaces, name) => (name === undefined ? first(interfaces, isPrivate) : undefined),
  GetPrivateIPs: (interfaces, name) => (name === undefined ? all(interfaces, isPrivate) : undefined),
  GetPublicIP: (interfaces, name) => (name === undefined ? first(interfaces, isPublic) : undefined),
  GetPublicIPs: (interfaces, name) => (name === undefined ? all(interfaces, isPublic) : undefined),
  GetInterfaceIP: (interfaces, name) => (name === undefined ? undefined : first(interfaces, (one) => one.name === name)),
  GetInterfaceIPs: (interfaces, name) => (name === undefined ? undefined : all(interfaces, (one) => one.name === name)),
}

/** IPv4 before IPv6; '' when there is none. */
function first(interfaces: readonly InterfaceAddress[], fits: (one: InterfaceAddress) => boolean): string {
  const found = interfaces.filter(fits)
  return (found.find(({ family }) => family === 4) ?? found[0])?.address ?? ''
}

function all(interfaces: readonly InterfaceAddress[], fits: (one: InterfaceAddress) => boolean): string {
  return interfaces
    .filter(fits)
    .map(({ address }) => address)
    .join(' ')
}

/** RFC 1918, RFC 6598, and unique local addresses of RFC 4193. */
function isPrivate({ address, internal }: InterfaceAddress): boolean {
  return !internal && /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/i.test(address)
}

function isPublic(one: InterfaceAddress): boolean {
  return !one.internal && !isPrivate(one) && !/^(169\.254\.|fe[89ab])/i.test(one.address)
}

function bareIp(address: string): string {
  return address.replace(/^\[(.*)\]$/, '$1')
}
