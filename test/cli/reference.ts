import { readFileSync } from 'node:fs'

/** One command of the reference: every flag with its kind. */
export type ReferenceCommand = { readonly name: string; readonly flags: Readonly<Record<string, ReferenceKind>> }
export type ReferenceKind = 'string' | 'boolean' | 'int' | 'uint' | 'duration' | 'pairs'

const KINDS: Readonly<Record<string, ReferenceKind>> = { b: 'boolean', i: 'int', u: 'uint', d: 'duration', kv: 'pairs' }
const CLIENT = ['ca-file', 'ca-path', 'client-cert', 'client-key', 'http-addr', 'tls-server-name', 'token', 'token-file']

/**
 * Reads test/cli/reference.txt: lines of the form `name GROUP: flag flag:kind …`. GROUP is `S` for flags of commands that servers
 * answer, `A` for those that agents answer, `-` for neither; `n` after it adds `-namespace`.
 */
export function referenceCommands(): ReferenceCommand[] {
  const text = readFileSync(new URL('reference.txt', import.meta.url), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [, name = '', group = '', namespaced = '', rest = ''] = /^(.*) ([SA-])(n?):(.*)$/.exec(line) ?? []
      const own = rest.split(' ').filter((one) => one !== '')
      return { name, flags: Object.fromEntries([...own, ...sharedFlags(group, namespaced)].map(flagOf)) }
    })
}

function sharedFlags(group: string, namespaced: string): string[] {
  if (group === '-') return []
  return [...CLIENT, ...(group === 'S' ? ['datacenter', 'stale:b'] : []), ...(namespaced === '' ? [] : ['namespace'])]
}

function flagOf(text: string): [string, ReferenceKind] {
  const [name = '', kind = ''] = text.split(':')
  return [name, KINDS[kind] ?? 'string']
}
