import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { aclNames } from '../../src/cli/acl-names.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { runCommand, tryCommand } from './kit.ts'

const OFF = { status: 401, text: 'ACL support disabled' }
const WITHOUT_ACLS = { 'GET /v1/acl/tokens': OFF, 'POST /v1/acl/logout': OFF }
const DISABLED = 'Unexpected response code: 401 (ACL support disabled)\n'
const WHOLE_ID = '11111111-2222-3333-4444-555555555555'

/** Arguments that make sense, and what stands before the agent's answer. */
const ASKED: Readonly<Record<string, [args: string[], failure: string]>> = {
  'acl auth-method create': [['-type=jwt', '-name=m'], 'Failed to create new auth method'],
  'acl auth-method delete': [['-name=m'], 'Error deleting auth method "m"'],
  'acl auth-method list': [[], 'Failed to retrieve the auth method list'],
  'acl auth-method read': [['-name=m'], 'Error reading auth method "m"'],
  'acl auth-method update': [['-name=m'], 'Error when retrieving current auth method'],
  'acl binding-rule create': [['-method=m'], 'Failed to create new binding rule'],
  'acl binding-rule delete': [[`-id=${WHOLE_ID}`], `Error deleting binding rule "${WHOLE_ID}"`],
  'acl binding-rule list': [[], 'Failed to retrieve the binding rule list'],
  'acl binding-rule read': [['-id=1'], 'Error determining binding rule ID'],
  'acl binding-rule update': [[`-id=${WHOLE_ID}`], 'Error when retrieving current binding rule'],
  'acl bootstrap': [[], 'Failed ACL bootstrapping'],
  'acl policy create': [['-name=p', '-rules=x'], 'Failed to create new policy'],
  'acl policy delete': [['-name=p'], 'Error deleting policy "p"'],
  'acl policy list': [['-format=json'], 'Failed to retrieve the policy list'],
  'acl policy read': [['-id=1'], 'Error determining policy ID'],
  'acl policy update': [['-name=p'], 'Error when retrieving current policy'],
  'acl role create': [['-name=r'], 'Failed to create new role'],
  'acl role delete': [['-id=1'], 'Error determining role ID'],
  'acl role list': [['-meta'], 'Failed to retrieve the role list'],
  'acl role read': [['-name=r'], 'Error reading role "r"'],
  'acl role update': [[`-id=${WHOLE_ID}`], 'Error when retrieving current role'],
  'acl set-agent-token': [['agent', 'secret'], 'Failed to set ACL token "agent"'],
  'acl token clone': [[`-id=${WHOLE_ID}`], 'Error cloning token'],
  'acl token create': [['-policy-name=p'], 'Failed to create new token'],
  'acl token delete': [['-id=1'], 'Error determining token ID'],
  'acl token list': [[], 'Failed to retrieve the token list'],
  'acl token read': [[`-id=${WHOLE_ID}`], `Error reading token "${WHOLE_ID}"`],
  'acl token update': [[`-id=${WHOLE_ID}`], 'Error when retrieving current token'],
  'acl translate-rules': [['key "" {}'], 'Failed to translate rules'],
}

test('every command about ACLs says that the agent has none', async (t) => {
  t.deepEqual(Object.keys(ASKED).sort(), [...aclNames].sort())
  for (const [name, [args, failure]] of Object.entries(ASKED)) {
    const { code, out, err } = await tryCommand([...name.split(' '), ...args], WITHOUT_ACLS)
    t.deepEqual([code, out, err], [1, '', `${failure}: ${DISABLED}`], name)
  }
})

test('an agent that has ACLs is left alone', async (t) => {
  const { code, err, seen } = await tryCommand(['acl', 'token', 'delete', `-id=${WHOLE_ID}`], { 'GET /v1/acl/tokens': { json: [] } })
  t.deepEqual([code, err], [1, `Error deleting token "${WHOLE_ID}": the agent has ACLs, which this program cannot manage\n`])
  t.deepEqual(seen, ['GET /v1/acl/tokens'])
})

for (const [args, why] of [
  [['acl', 'token', 'create'], 'Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, -service-identity, or -node-identity at least once'], // biome-ignore format: one line
  [['acl', 'token', 'read'], 'Must specify the -id parameter'],
  [['acl', 'auth-method', 'read'], 'Must specify the -name parameter'],
  [['acl', 'set-agent-token', 'foo', 'x'], 'Unknown token type'],
  [['login'], "Missing required '-method' flag"],
  [['login', '-method=m'], "Missing required '-token-sink-file' flag"],
  [['login', '-method=m', '-token-sink-file=x'], "Missing required '-bearer-token-file' flag"],
] as const) {
  test(`${args.join(' ')} makes no sense`, async (t) => {
    const { code, err } = await runCommand([...args])
    t.is(code, 1)
    t.true(err.startsWith(`${why}\n\nUsage:`), err)
  })
}

test('login and logout say that the agent has no ACLs, and nothing is written', async (t) => {
  const folder = temporaryDirectory(t)
  const [bearer, sink] = [join(folder, 'jwt'), join(folder, 'token')]
  writeFileSync(bearer, 'abc\n')
  const login = await tryCommand(['login', '-method=m', `-bearer-token-file=${bearer}`, `-token-sink-file=${sink}`], WITHOUT_ACLS)
  t.deepEqual([login.code, login.out, login.err], [1, '', `Error logging in: ${DISABLED}`])
  t.false(existsSync(sink))
  t.like(await tryCommand(['logout'], WITHOUT_ACLS), { code: 1, out: '', err: `Error destroying token: ${DISABLED}` })
})

test('Envoy, gateways and transparent proxies are refused, with the flags they have', async (t) => {
  t.like(await runCommand(['connect', 'envoy', '-sidecar-for=web', '-admin-bind=localhost:19000']), { code: 1, out: '', err: 'Envoy is not supported: the agent runs sidecar proxies by itself, and "connect proxy" runs one by hand\n' }) // biome-ignore format: one line
  t.regex((await runCommand(['connect', 'expose', '-service=web'])).err, /^Ingress gateways are not supported/)
  t.regex((await runCommand(['connect', 'redirect-traffic', '-proxy-uid=1'])).err, /^Transparent proxies are not supported/)
})
