import test from 'ava'
import { aclNames } from '../../src/cli/acl-names.ts'
import { aclRules } from '../../src/cli/acl-rules.ts'
import { commands } from '../../src/cli/index.ts'
import { runCommand } from './kit.ts'
import { referenceCommands } from './reference.ts'

/** A flag of the reference may be read by one of these kinds: what may be repeated is a string there. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  string: ['string', 'strings', 'pairs', 'int', 'uint', 'duration'],
  uint: ['uint', 'uint64'],
}

/** Commands that list things. */
const LISTING = [
  'acl auth-method list',
  'acl binding-rule list',
  'acl policy list',
  'acl role list',
  'acl token list',
  'actors',
  'catalog datacenters',
  'catalog nodes',
  'catalog services',
  'config list',
  'connect ca status',
  'connect decisions',
  'connect why',
  'gossip trace',
  'info',
  'intention check',
  'intention get',
  'intention list',
  'intention match',
  'keyring',
  'kv get',
  'maint',
  'members',
  'operator autopilot get-config',
  'operator autopilot state',
  'operator raft list-peers',
]
/** Flags that the reference does not have. */
const OWN_FLAGS: Readonly<Record<string, readonly string[]>> = {
  'connect ca set-config': ['plan'],
  'intention check': ['explain'],
  'intention create': ['wait'],
  'intention delete': ['wait'],
}
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  'config list': ['-kind=service-defaults'],
  'connect why': ['web', 'db'],
  'intention check': ['web', 'db'],
  'intention get': ['web', 'db'],
  'intention match': ['db'],
  keyring: ['-list'],
  'kv get': ['-recurse'],
}

test('every command of the reference exists and takes every flag it has there, and few others', async (t) => {
  const wrong: string[] = []
  for (const { name, flags } of referenceCommands()) {
    const listing = commands.find((one) => one.name === name)
    if (listing === undefined) wrong.push(`there is no command ${name}`)
    if (listing === undefined) continue
    const own = await (await listing.load()).flags()
    for (const [flag, kind] of Object.entries(flags)) {
      const is = own[flag]?.kind ?? 'missing'
      if (!(READ_BY[kind] ?? [kind]).includes(is)) wrong.push(`${name}: -${flag} is ${is} and not ${kind}`)
    }
    for (const flag of Object.keys(own)) {
      if (!Object.hasOwn(flags, flag) && flag !== 'format' && !OWN_FLAGS[name]?.includes(flag))
        wrong.push(`${name}: -${flag} is not in the reference`)
    }
  }
  t.deepEqual(wrong, [])
})

test('a flag that a command has not is refused in the words of Go, by every command', async (t) => {
  for (const { name } of commands.filter((one) => one.name !== 'agent')) {
    const { code, out, err } = await runCommand([...name.split(' '), '-no-such-flag'])
    t.is(out, '', name)
    // What plays something has an exit code of its own for what it found.
    t.is(code, name === 'sim' || name === 'gossip replay' ? 2 : 1, name)
    t.true(err.startsWith('flag provided but not defined: -no-such-flag\nUsage:\n'), name)
  }
})

test('every command that lists prints JSON if asked to, and refuses what it does not know', async (t) => {
  const takers: string[] = []
  for (const { name, load } of commands) {
    const { format } = await (await load()).flags()
    if (format?.values?.includes('table')) takers.push(name)
  }
  t.deepEqual(takers.sort(), LISTING)
  for (const name of LISTING) {
    const { code, out, err } = await runCommand([...name.split(' '), '-format=xml', ...(ARGUMENTS[name] ?? [])])
    t.deepEqual([code, out, err], [1, '', 'Unknown format: xml\n'], name)
  }
})

test('the commands about ACLs are those of their table', (t) => {
  t.deepEqual([...aclNames].sort(), aclRules.map(({ name }) => name).sort())
})
