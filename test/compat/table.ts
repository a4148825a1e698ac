import { commands } from '../../src/cli/index.ts'
import type { Field, Fields } from '../../src/config/schema/fields.ts'
import { configFields } from '../../src/config/schema/index.ts'
import type { Route } from '../../src/http/route.ts'
import { createRouter } from '../../src/http/router.ts'
import { aclRoutes } from '../../src/http/routes/acl.ts'
import { routes } from '../../src/http/routes/index.ts'
import { referenceCommands, referenceEndpoints } from './reference.ts'

/** What there is and what becomes of it: `works`, `refused: …`, `ignored: …`, or `own` for what Consul does not have. */
export type Row = { name: string; state: string }

export const PAGE = 'docs/compatibility.md'

/** The whole page, from the lists of endpoints, commands and keys. */
export async function compatibilityPage(): Promise<string> {
  return [
    INTRODUCTION,
    table('Endpoints', endpointRows()),
    table('Commands', await commandRows()),
    table('Configuration keys', keyRows(configFields)),
  ].join('\n')
}

export function endpointRows(): Row[] {
  const find = createRouter(routes)
  const used = new Set<Route>()
  const rows = referenceEndpoints.map((name): Row => {
    const [method = '', path = ''] = name.split(' ')
    const found = find(method, path.replaceAll(':', ''))
    if (!found) return { name, state: 'refused: 404' }
    if ('allow' in found) return { name, state: `refused: 405, method ${method} not allowed` }
    used.add(found.route)
    return { name, state: aclRoutes.includes(found.route) ? NO_ACL : 'works' }
  })
  const own = routes.filter((route) => !used.has(route)).map(({ method, path }) => ({ name: `${method} ${path}`, state: 'own' }))
  return [...rows, ...own]
}

export async function commandRows(): Promise<Row[]> {
  const rows = referenceCommands.map(async (name): Promise<Row> => {
    const listing = commands.find((command) => command.name === name)
    if (!listing) return { name, state: 'refused: there is no such command' }
    if (/^(acl |login$|logout$)/.test(name)) return { name, state: NO_ACL }
    const { summary } = await listing.load()
    return { name, state: summary.startsWith('Refused: ') ? `refused: ${summary.slice('Refused: '.length)}` : 'works' }
  })
  const own = commands.filter(({ name }) => !referenceCommands.includes(name)).map(({ name }) => ({ name, state: 'own' }))
  return [...(await Promise.all(rows)), ...own]
}

/** Keys by their paths; `[]` stands for each element of a list, or each name of the user's choice. */
export function keyRows(fields: Fields, prefix = '', told = new Map<string, string>()): Row[] {
  return Object.entries(fields).flatMap(([key, field]): Row[] => {
    const name = prefix + key
    const state = stateOf(field, name)
    const [inner, below] = innerOf(field, name)
    if (inner === undefined || state.startsWith('refused')) return [{ name, state }]
    const shape = Object.keys(inner).join()
    const before = told.get(shape)
    if (before !== undefined) return [{ name, state: `as ${before}` }]
    told.set(shape, below)
    return keyRows(inner, `${below}.`, told)
  })
}

const INTRODUCTION = `# Compatibility

What there is in Consul 1.10 (and what only 1.2 had), and what becomes of it here. Made by \`npm run compatibility\` from the
program's own lists: do not edit it. \`works\` is as in Consul; \`refused\` says so with a clear error; \`ignored\` is accepted and has
no effect; \`own\` is not in Consul. Enterprise endpoints and commands are left out: they answer as in Consul without a license.
`
const NO_ACL = 'refused: 401, ACL support disabled (as in Consul without ACLs)'

function stateOf({ now }: Field, name: string): string {
  if (typeof now === 'object') {
    const values = now.only.map((value) => JSON.stringify(value)).join(', ')
    return `works: ${values}; refused: ${now.why ?? `${name} is not supported by this version`}`
  }
  if (now === 'refused') return `refused: ${name} is not supported by this version`
  if (now === 'own') return 'own'
  if (now === 'harmless') return 'ignored'
  return now === 'enterprise' || now === 'deprecated' ? 'ignored, with a warning' : 'works'
}

/** What is inside a key, and how it is called there. */
function innerOf(field: Field, name: string): [Fields | undefined, string] {
  if (field.type === 'object') return [field.fields, name]
  return field.type === 'list' || field.type === 'map' ? [field.of, `${name}[]`] : [undefined, name]
}

function table(title: string, rows: readonly Row[]): string {
  const count = rows.filter(({ state }) => state.startsWith('works')).length
  const lines = rows.map(({ name, state }) => `| \`${name}\` | ${state.replaceAll('|', '\\|')} |`)
  return [`## ${title}`, '', `${count} of ${rows.length} work.`, '', '| name | state |', '|---|---|', ...lines, ''].join('\n')
}
