import { isRefused, type Result } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { nodeMetaParams } from './catalog-nodes.ts'
import { byteOrder } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import type { HttpClient } from './http.ts'

/** Spaces between the longest name and the tags. */
const TAGS_GAP = 6

export const catalogServicesCommand = defineApiCommand({
  summary: 'List the services',
  usage: 'catalog services [options]',
  about: `
Lists the names of the services of a datacenter, or of one node.

    $ tribune catalog services
    $ tribune catalog services -node=db-1 -tags
`,
  answers: 'servers',
  namespaced: true,
  flags: {
    node: { kind: 'string', about: 'Only services of the node with this name or ID.' },
    'node-meta': {
      kind: 'pairs',
      about: 'Only services on nodes with this metadata, in the form key=value. May be repeated; all must hold.',
    },
    tags: { kind: 'boolean', about: 'Print all tags of each service beside its name.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const found =
      flags.node === undefined
        ? await http.json<TagsByName>('/v1/catalog/services', { 'node-meta': nodeMetaParams(flags['node-meta']) })
        : await servicesOfNode(http, flags.node, nodeMetaParams(flags['node-meta']))
    if (isRefused(found)) return fail(`Error listing services: ${found.why}`)
    const names = Object.keys(found.value).sort(byteOrder)
    if (asJson) io.out(listJson(found.value))
    else if (names.length === 0) io.err('No services match the given query - try expanding your search.')
    else io.out(names.map((name) => (flags.tags ? withTags(name, found.value, names) : name)).join('\n'))
    return 0
  },
})

type TagsByName = Record<string, string[] | null>

async function servicesOfNode(http: HttpClient, node: string, nodeMeta: string[]): Promise<Result<{ value: TagsByName }>> {
  type NodeServices = { Services: Record<string, { Service: string; Tags: string[] | null }> } | null
  const reply = await http.json<NodeServices>(`/v1/catalog/node/${node}`, { 'node-meta': nodeMeta })
  if (isRefused(reply)) return reply
  const tags = new Map<string, Set<string>>()
  for (const service of Object.values(reply.value?.Services ?? {})) {
    tags.set(service.Service, new Set([...(tags.get(service.Service) ?? []), ...(service.Tags ?? [])]))
  }
  return { value: Object.fromEntries([...tags].map(([name, of]) => [name, [...of]])) }
}

function withTags(name: string, services: TagsByName, names: readonly string[]): string {
  const nameWidth = Math.max(...names.map((one) => one.length))
  return name.padEnd(nameWidth + TAGS_GAP) + [...(services[name] ?? [])].sort(byteOrder).join(',')
}
