import { isRefused, type Result } from '../kernel/refusal.ts'
import { defineApiCommand } from './api-command.ts'
import { columns } from './columns.ts'
import { listFormatFlags, listJson, wantsJson } from './format-flag.ts'
import { type HttpClient, parseJson } from './http.ts'
import type { Io } from './io.ts'

/** Answer of /v1/tribune/connect/ca/status. */
type Status = {
  Provider: string
  TrustDomain: string
  Roots: {
    ID: string
    State: string
    PrivateKeyType: string
    PrivateKeyBits: number
    SignsUntil: string
    Presenting: number | null
    LeavesUntil: string | null
  }[]
  Rotation: { FromRootID: string; ToRootID: string; Phase: string; CanAbort: boolean; NotReporting: number; Says: string } | null
}
type Leaf = { Node: string; ServiceID: string; Kind?: string; Issued: string; RenewAt: string; ValidBefore: string; Risk: string }
/** Answer of /v1/tribune/connect/expiry. */
type Expiry = { Oldest: Leaf | null; NextRenewal: Leaf | null; AtRisk: Leaf[]; WithoutLeaf: { Node: string; ServiceID: string }[] }

/** How long one look waits for something new. */
const LOOK = '60s'

export const connectCaStatusCommand = defineApiCommand({
  summary: 'Show roots, a change of the root, and certificates at risk',
  usage: 'connect ca status [options]',
  about: `
Prints the provider of certificates, all roots that are trusted, how far a change from one root to another is and whom it waits for, and which certificates end first. The exit code is 1 if a certificate is at risk of ending before it is renewed.

    $ tribune connect ca status

With -follow it prints a line whenever a change of the root gets further, until it is over.

    $ tribune connect ca status -follow
`,
  answers: 'servers',
  flags: {
    follow: { kind: 'boolean', about: 'Follow a change of the root to its end.' },
    ...listFormatFlags,
  },
  async run({ flags, rest, io, http, fail, misused }) {
    if (rest.length > 0) return misused(`Too many arguments (expected 0, got ${rest.length})`)
    const asJson = wantsJson(flags.format)
    if (typeof asJson === 'object') return fail(asJson.problem)
    const first = await look(http, undefined, io.signal)
    if (isRefused(first)) return fail(`Error reading the state of the CA: ${first.why}`)
    if (flags.follow) return follow(first, { http, io, fail, asJson })
    const expiry = await http.json<Expiry>('/v1/tribune/connect/expiry')
    if (isRefused(expiry)) return fail(`Error reading when certificates end: ${expiry.why}`)
    io.out(asJson ? listJson({ ...first.status, Expiry: expiry.value }) : [...shown(first.status), ...radar(expiry.value)].join('\n'))
    return expiry.value.AtRisk.length > 0 ? 1 : 0
  },
})

type Look = { status: Status; index: string }
type Follow = { http: HttpClient; io: Io; fail: (line: string) => number; asJson: boolean }

async function follow(first: Look, { http, io, fail, asJson }: Follow): Promise<number> {
  let said = ''
  let last = first
  while (last.status.Rotation) {
    const { Phase: phase, Says: says } = last.status.Rotation
    const line = asJson ? JSON.stringify(last.status.Rotation) : `${phase}: ${says}`
    if (line !== said) io.out(line)
    said = line
    const next = await look(http, last.index, io.signal)
    if (isRefused(next)) return io.signal?.aborted ? 0 : fail(`Error reading the state of the CA: ${next.why}`)
    last = next
  }
  if (!asJson) io.out('No change of the root is under way')
  return 0
}

async function look(http: HttpClient, index: string | undefined, signal: AbortSignal | undefined): Promise<Result<Look>> {
  const params = index === undefined ? {} : { index, wait: LOOK }
  const reply = await http.request('GET', STATUS, { params, ...(signal && { signal }) })
  if (isRefused(reply)) return reply
  const status = parseJson<Status>(reply.body.toString('utf8'), STATUS)
  return isRefused(status) ? status : { status: status.value, index: String(reply.headers['x-consul-index'] ?? '') }
}

const STATUS = '/v1/tribune/connect/ca/status'

function shown({ Provider: provider, TrustDomain: domain, Roots: roots, Rotation: rotation }: Status): string[] {
  const rows = roots.map((root) => [
    root.ID,
    root.State,
    `${root.PrivateKeyType}-${root.PrivateKeyBits}`,
    root.SignsUntil,
    root.Presenting === null ? '-' : String(root.Presenting),
    root.LeavesUntil ?? '-',
  ])
  const lines = [
    `Provider:     ${provider}`,
    `Trust domain: ${domain}`,
    '',
    columns([['Root', 'State', 'Key', 'Signs until', 'Presenting', 'Leaves until'], ...rows]),
    '',
  ]
  if (!rotation) return [...lines, 'Rotation:     none']
  const silent = rotation.NotReporting > 0 ? ` (${rotation.NotReporting} in the mesh do not report)` : ''
  lines.push(`Rotation:     ${rotation.Phase}: ${rotation.Says}${silent}`)
  if (rotation.CanAbort) lines.push('              "tribune connect ca abort" goes back')
  return lines
}

function radar({ Oldest: oldest, NextRenewal: next, AtRisk: risky, WithoutLeaf: without }: Expiry): string[] {
  const lines: string[] = []
  if (oldest) lines.push(`Oldest leaf:  ${nameOf(oldest)}, of ${oldest.Issued}, ends ${oldest.ValidBefore}`)
  if (next) lines.push(`Next renewal: ${nameOf(next)}, at ${next.RenewAt}`)
  lines.push(`At risk:      ${risky.length === 0 ? 'none' : ''}`.trimEnd())
  for (const leaf of risky) lines.push(`  ${nameOf(leaf)}, ends ${leaf.ValidBefore}: ${leaf.Risk}`)
  if (without.length > 0) lines.push(`Without leaf: ${without.map(nameOf).join(', ')}`)
  return lines
}

function nameOf({ Node: node, ServiceID: id, Kind: kind }: { Node: string; ServiceID: string; Kind?: string }): string {
  return `${node}/${id}${kind === 'native' ? ' (native)' : ''}`
}
