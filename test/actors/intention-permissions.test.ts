import test from 'ava'
import { configEntries } from '../../actors/config-entries/index.ts'
import { intentions } from '../../actors/intentions/index.ts'
import {
  keptPermissions,
  type Permission,
  permissionsFault,
  unreachable,
  type WrittenPermission,
} from '../../actors/intentions/permissions.ts'
import { intentionExact } from '../../actors/intentions/queries.ts'
import { granted, refused } from '../kit/asking.ts'
import { emptyTables } from '../kit/tables.ts'
import { tryActor } from '../kit/try-actor.ts'

const GET: Permission = { Action: 'allow', HTTP: { PathPrefix: '/v1', Methods: ['GET'] } }
const TCP = 'service "db" has protocol "tcp", which is incompatible with L7 intentions permissions'

const defaults = (name: string, protocol: string) => ({
  kind: 'config.set',
  atMs: 0,
  request: { kind: 'service-defaults', name, content: { Protocol: protocol } },
})
const global = (content: object) => ({ kind: 'config.set', atMs: 0, request: { kind: 'proxy-defaults', name: 'global', content } })
const put = { source: 'web', destination: 'db', action: '', description: '', permissions: [GET], token: '' }
const entry = {
  kind: 'intentions.write-entry',
  atMs: 0,
  request: { destination: 'db', sources: [{ name: 'web', action: 'deny', permissions: [GET], description: '' }], meta: {} },
}

const FAULTS: [permission: WrittenPermission, fault: string][] = [
  [{}, `.Action must be set to 'allow' or 'deny'`],
  [{ Action: 'allow' }, '.HTTP is required'],
  [{ Action: 'allow', HTTP: {} }, '.HTTP should not be empty'],
  [{ Action: 'allow', HTTP: { PathExact: 'x' } }, `.HTTP.PathExact doesn't start with '/': "x"`],
  [{ Action: 'deny', HTTP: { PathPrefix: 'x/' } }, `.HTTP.PathPrefix doesn't start with '/': "x/"`],
  [
    { Action: 'deny', HTTP: { PathExact: '/', PathRegex: '.' } },
    '.HTTP should only contain at most one of PathExact, PathPrefix, or PathRegex',
  ],
  [{ Action: 'allow', HTTP: { Header: [{ Present: true }] } }, '.HTTP.Header[0] missing required Name field'],
  [
    { Action: 'allow', HTTP: { Header: [{ Name: 'a', Present: true }, { Name: 'b' }] } },
    '.HTTP.Header[1] should only contain one of Present, Exact, Prefix, Suffix, or Regex',
  ],
  [
    { Action: 'allow', HTTP: { Header: [{ Name: 'a', Exact: 'x', Regex: 'y' }] } },
    '.HTTP.Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex',
  ],
  [{ Action: 'allow', HTTP: { Methods: ['LOOK'] } }, '.HTTP.Methods contains an invalid method "LOOK"'],
  [{ Action: 'allow', HTTP: { Methods: ['get', 'GET'] } }, '.HTTP.Methods contains "GET" more than once'],
]

for (const [permission, fault] of FAULTS) {
  test(`a permission that cannot be is refused in the words of the reference: ${fault}`, (t) => {
    t.is(permissionsFault([GET, permission]), `.Permissions[1]${fault}`)
  })
}

test('permissions are kept with methods in upper case and without what says nothing', (t) => {
  const written = {
    Action: 'allow',
    HTTP: { PathExact: '', PathPrefix: '/v1', Header: [{ Name: 'a', Present: true, Invert: false }], Methods: ['put'] },
  }
  t.is(permissionsFault([written]), undefined)
  t.deepEqual(keptPermissions([written]), [
    { Action: 'allow', HTTP: { PathPrefix: '/v1', Header: [{ Name: 'a', Present: true }], Methods: ['PUT'] } },
  ])
})

test('permissions are taken only where the destination has requests, and its protocol cannot be taken away from them', (t) => {
  const tables = emptyTables()
  t.deepEqual(refused(tables.apply([entry])[0]), { refused: 'conflict', why: TCP })
  tables.apply([defaults('db', 'http')])
  granted(tables.apply([entry])[0])
  t.like(intentionExact(tables.view(), 'web', 'db').intention, { action: 'deny', permissions: [GET] })
  t.is(refused(tables.apply([defaults('db', 'tcp')])[0]).why, TCP)
  const remove = { kind: 'config.delete', atMs: 0, request: { kind: 'service-defaults', name: 'db' } }
  t.is(refused(tables.apply([remove])[0]).why, TCP)
  granted(tables.apply([defaults('db', 'grpc')])[0])
  tables.apply([global({ Config: { protocol: 'HTTP2' } })])
  t.is(tables.apply([remove])[0], null, 'all proxies speak HTTP')
  t.is(refused(tables.apply([global({ Config: {} })])[0]).why, TCP)
  tables.apply([{ kind: 'intentions.delete-entry', atMs: 0, request: { destination: 'db' } }])
  granted(tables.apply([global({ Config: {} })])[0])
})

test('the actor takes permissions by name, tells what they do, and refuses them on wildcards and with ids', (t) => {
  const tables = emptyTables()
  const a = tryActor(intentions, { args: { defaultAllow: true }, tables })
  t.is(refused(a.call('put', put).result).why, TCP)
  tables.apply([defaults('db', 'http')])
  t.deepEqual(granted(a.call('put', put).result!).warnings, [
    'web => db has permissions for requests, which the proxies of this version do not look into: they let nobody through whom it is about',
  ])
  t.is(
    refused(a.call('put', { ...put, destination: '*' }).result).why,
    'Sources[0].Permissions cannot be specified on intentions with wildcarded destinations',
  )
  t.is(refused(a.call('put', { ...put, permissions: [{ Action: 'allow' }] }).result).why, 'Sources[0].Permissions[0].HTTP is required')
  t.deepEqual(a.call('check', { source: 'web', destination: 'db', token: '' }).result, {
    allowed: false,
    rule: { ...intentionExact(tables.view(), 'web', 'db').intention! },
    reason: 'Matched L7 intention: default/web => default/db (Precedence: 9, Permissions: 1)',
  })
  const legacy = { source: 'api', destination: 'db', action: 'deny' as const, description: '', meta: {}, permissions: 1, token: '' }
  t.regex(refused(a.call('create', legacy).result).why, /^Permissions cannot be specified on intentions with an ID/)
  t.regex(refused(a.call('update', { ...legacy, id: 'x', destination: 'tcp' }).result).why, /^service "tcp" has protocol "tcp"/)
})

test('an entry that is written says what its writer should know', (t) => {
  const tables = emptyTables()
  tables.apply([{ kind: 'intentions.put', atMs: 0, request: { source: 'web', destination: '*', action: 'deny', description: '' } }])
  const a = tryActor(configEntries, { args: { bootstrap: [] }, tables })
  const sources = [{ name: '*', action: 'allow' as const, description: '' }]
  const { result } = a.call('write', { entry: { kind: 'service-intentions', name: 'db', sources, meta: {} }, token: '' })
  t.deepEqual(result, {
    applied: true,
    warnings: ['* => db (allow) contradicts web => * (deny), and decides for "db" because the destination counts first'],
  })
})

test('a permission behind one that takes all its requests never decides', (t) => {
  const all: Permission = { Action: 'deny', HTTP: { PathPrefix: '/' } }
  t.deepEqual(unreachable([GET, all, GET, { Action: 'allow', HTTP: { PathExact: '/v1/x', Methods: ['GET'] } }]), [
    { position: 2, behind: 0 },
    { position: 3, behind: 0 },
  ])
  const header: Permission = { Action: 'allow', HTTP: { Header: [{ Name: 'a', Present: true }] } }
  t.deepEqual(unreachable([header, all]), [], 'what needs a header does not take requests without it')
  t.deepEqual(unreachable([header, { Action: 'deny', HTTP: { PathExact: '/', Header: [{ Name: 'a', Present: true }] } }]), [
    { position: 1, behind: 0 },
  ])
  t.deepEqual(unreachable([GET, { Action: 'deny', HTTP: { PathExact: '/v1' } }]), [], 'other methods get there')
  t.deepEqual(
    unreachable([
      { Action: 'allow', HTTP: { PathRegex: '/a+' } },
      { Action: 'deny', HTTP: { PathExact: '/a' } },
    ]),
    [],
  )
})
