import type { FlagTable } from './command.ts'
import { listFormatFlags } from './format-flag.ts'

/** One command about ACLs: what it takes, and what it says when the agent has none. */
export type AclRule = {
  readonly name: string
  readonly summary: string
  readonly flags: FlagTable
  /** What follows the flags, such as `KIND TOKEN`. */
  readonly takes?: string
  /** Flags of which at least one must be given, or what is said if none is. */
  readonly needs?: { readonly flags: readonly string[]; readonly problem: string }
  /** What stands before the agent's answer. `%s` is the value of the flag in `subject`. */
  readonly failure: string
  readonly subject?: string
  /** What stands before it instead if the ID in -id is only the beginning of one. */
  readonly partial?: string
}

const ID_NEEDED = { flags: ['id'], problem: 'Must specify the -id parameter' }
const NAME_NEEDED = { flags: ['name'], problem: 'Must specify the -name parameter' }

const format = { format: { kind: 'string', values: ['json', 'pretty'], about: 'How to print it: "pretty" for people, which is the default, or "json" for programs.' } } as const // biome-ignore format: one line
const meta = { meta: { kind: 'boolean', about: 'Print indexes and the hash as well.' } } as const
const shown = { ...format, ...meta }
const listed = { ...listFormatFlags, ...meta }
const description = { description: { kind: 'string', about: 'What it is for, for people.' } } as const
const id = { id: { kind: 'string', about: 'ID, or the beginning of one that no other has.' } } as const
const name = { name: { kind: 'string', about: 'Name.' } } as const
const noMerge = { 'no-merge': { kind: 'boolean', about: 'Replace all of it, instead of only what the flags say.' } } as const
const datacenters = { 'valid-datacenter': { kind: 'strings', about: 'A datacenter in which it counts. May be repeated.' } } as const
const policies = {
  'policy-id': { kind: 'strings', about: 'ID of a policy. May be repeated.' },
  'policy-name': { kind: 'strings', about: 'Name of a policy. May be repeated.' },
} as const
const identities = {
  'node-identity': { kind: 'strings', about: 'A node, as NODE:DATACENTER, whose rights it has. May be repeated.' },
  'service-identity': { kind: 'strings', about: 'A service, as NAME or NAME:DATACENTER,…, whose rights it has. May be repeated.' },
} as const
const roles = {
  'role-id': { kind: 'strings', about: 'ID of a role. May be repeated.' },
  'role-name': { kind: 'strings', about: 'Name of a role. May be repeated.' },
} as const
const rules = { rules: { kind: 'string', about: 'The rules, or @file, or - for standard input.' } } as const
const authMethod = {
  ...description,
  ...name,
  config: { kind: 'string', about: 'Its configuration as JSON, or @file, or - for standard input.' },
  'display-name': { kind: 'string', about: 'Name for people.' },
  'kubernetes-ca-cert': { kind: 'string', about: 'Certificate (PEM) of the authority of Kubernetes, or @file.' },
  'kubernetes-host': { kind: 'string', about: 'Address of the API of Kubernetes.' },
  'kubernetes-service-account-jwt': { kind: 'string', about: 'Token with which to ask Kubernetes.' },
  'max-token-ttl': { kind: 'duration', about: 'Longest life of its tokens.' },
  'token-locality': { kind: 'string', about: 'Where its tokens count: "local" or "global".' },
} as const
const bindingRule = {
  ...description,
  'bind-name': { kind: 'string', about: 'Name of the role, service or node that a token gets.' },
  'bind-type': { kind: 'string', about: 'What a token gets: "role", "service" or "node".' },
  selector: { kind: 'string', about: 'Expression that must hold for who logs in.' },
} as const
const method = { method: { kind: 'string', about: 'Name of the auth method.' } } as const

/** Every command about ACLs but `login` and `logout`. */
export const aclRules: readonly AclRule[] = [
  {
    name: 'acl auth-method create',
    summary: 'Create an auth method',
    flags: { ...authMethod, type: { kind: 'string', about: 'Its type: "kubernetes" or "jwt".' }, ...shown },
    needs: { flags: ['type'], problem: "Missing required '-type' flag" },
    failure: 'Failed to create new auth method',
  },
  {
    name: 'acl auth-method delete',
    summary: 'Delete an auth method',
    flags: name,
    needs: NAME_NEEDED,
    failure: 'Error deleting auth method "%s"',
    subject: 'name',
  },
  { name: 'acl auth-method list', summary: 'List all auth methods', flags: listed, failure: 'Failed to retrieve the auth method list' },
  {
    name: 'acl auth-method read',
    summary: 'Show an auth method',
    flags: { ...name, ...shown },
    needs: NAME_NEEDED,
    failure: 'Error reading auth method "%s"',
    subject: 'name',
  },
  {
    name: 'acl auth-method update',
    summary: 'Change an auth method',
    flags: { ...authMethod, ...noMerge, ...shown },
    needs: NAME_NEEDED,
    failure: 'Error when retrieving current auth method',
  },
  {
    name: 'acl binding-rule create',
    summary: 'Create a binding rule',
    flags: { ...bindingRule, ...method, ...shown },
    needs: { flags: ['method'], problem: "Missing required '-method' flag" },
    failure: 'Failed to create new binding rule',
  },
  {
    name: 'acl binding-rule delete',
    summary: 'Delete a binding rule',
    flags: id,
    needs: ID_NEEDED,
    failure: 'Error deleting binding rule "%s"',
    subject: 'id',
    partial: 'Error determining binding rule ID',
  },
  {
    name: 'acl binding-rule list',
    summary: 'List binding rules',
    flags: { ...method, ...listed },
    failure: 'Failed to retrieve the binding rule list',
  },
  {
    name: 'acl binding-rule read',
    summary: 'Show a binding rule',
    flags: { ...id, ...shown },
    needs: ID_NEEDED,
    failure: 'Error reading binding rule "%s"',
    subject: 'id',
    partial: 'Error determining binding rule ID',
  },
  {
    name: 'acl binding-rule update',
    summary: 'Change a binding rule',
    flags: { ...bindingRule, ...id, ...noMerge, ...shown },
    needs: ID_NEEDED,
    failure: 'Error when retrieving current binding rule',
    partial: 'Error determining binding rule ID',
  },
  { name: 'acl bootstrap', summary: 'Make the first token', flags: format, failure: 'Failed ACL bootstrapping' },
  {
    name: 'acl policy create',
    summary: 'Create a policy',
    flags: {
      ...description,
      ...name,
      ...rules,
      ...datacenters,
      ...shown,
      'from-token': { kind: 'string', about: 'ID of a legacy token whose rules it gets.' },
      'token-secret': { kind: 'boolean', about: 'What -from-token has is a secret and no ID.' },
    },
    needs: { flags: ['name'], problem: "Missing require '-name' flag" },
    failure: 'Failed to create new policy',
  },
  {
    name: 'acl policy delete',
    summary: 'Delete a policy',
    flags: { ...id, ...name },
    needs: { flags: ['id', 'name'], problem: 'Must specify either the -id or -name parameters' },
    failure: 'Error deleting policy "%s"',
    subject: 'id',
    partial: 'Error determining policy ID',
  },
  { name: 'acl policy list', summary: 'List all policies', flags: listed, failure: 'Failed to retrieve the policy list' },
  {
    name: 'acl policy read',
    summary: 'Show a policy',
    flags: { ...id, ...name, ...shown },
    needs: { flags: ['id', 'name'], problem: 'Must specify either the -id or -name parameters' },
    failure: 'Error reading policy "%s"',
    subject: 'id',
    partial: 'Error determining policy ID',
  },
  {
    name: 'acl policy update',
    summary: 'Change a policy',
    flags: { ...description, ...id, ...name, ...noMerge, ...rules, ...datacenters, ...shown },
    needs: { flags: ['id', 'name'], problem: 'Must specify either the -id or -name parameters' },
    failure: 'Error when retrieving current policy',
    partial: 'Error determining policy ID',
  },
  {
    name: 'acl role create',
    summary: 'Create a role',
    flags: { ...description, ...name, ...policies, ...identities, ...shown },
    needs: { flags: ['name'], problem: "Missing require '-name' flag" },
    failure: 'Failed to create new role',
  },
  {
    name: 'acl role delete',
    summary: 'Delete a role',
    flags: { ...id, ...name },
    needs: { flags: ['id', 'name'], problem: 'Must specify the -id or -name parameters' },
    failure: 'Error deleting role "%s"',
    subject: 'id',
    partial: 'Error determining role ID',
  },
  { name: 'acl role list', summary: 'List all roles', flags: listed, failure: 'Failed to retrieve the role list' },
  {
    name: 'acl role read',
    summary: 'Show a role',
    flags: { ...id, ...name, ...shown },
    needs: { flags: ['id', 'name'], problem: 'Must specify either the -id or -name parameters' },
    failure: 'Error reading role "%s"',
    subject: 'id',
    partial: 'Error determining role ID',
  },
  {
    name: 'acl role update',
    summary: 'Change a role',
    flags: { ...description, ...id, ...name, ...noMerge, ...policies, ...identities, ...shown },
    needs: ID_NEEDED,
    failure: 'Error when retrieving current role',
    partial: 'Error determining role ID',
  },
  { name: 'acl set-agent-token', summary: 'Set a token of the agent', flags: {}, takes: 'KIND TOKEN', failure: 'Failed to set ACL token' },
  {
    name: 'acl token clone',
    summary: 'Copy a token',
    flags: { ...description, ...id, ...format },
    needs: { flags: ['id'], problem: 'Cannot clone a token without specifying the -id parameter' },
    failure: 'Error cloning token',
    partial: 'Error determining token ID',
  },
  {
    name: 'acl token create',
    summary: 'Create a token',
    flags: {
      ...description,
      ...policies,
      ...roles,
      ...identities,
      ...shown,
      accessor: { kind: 'string', about: 'Its ID. Without it, a new one.' },
      'expires-ttl': { kind: 'duration', about: 'How long it lives. Without it, until it is deleted.' },
      local: { kind: 'boolean', about: 'It counts in this datacenter only.' },
      secret: { kind: 'string', about: 'Its secret. Without it, a new one.' },
    },
    needs: {
      flags: ['policy-name', 'policy-id', 'role-name', 'role-id', 'service-identity', 'node-identity'],
      problem:
        'Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, -service-identity, or -node-identity at least once',
    },
    failure: 'Failed to create new token',
  },
  {
    name: 'acl token delete',
    summary: 'Delete a token',
    flags: id,
    needs: ID_NEEDED,
    failure: 'Error deleting token "%s"',
    subject: 'id',
    partial: 'Error determining token ID',
  },
  { name: 'acl token list', summary: 'List all tokens', flags: listed, failure: 'Failed to retrieve the token list' },
  {
    name: 'acl token read',
    summary: 'Show a token',
    flags: { ...id, ...shown, self: { kind: 'boolean', about: 'Show the token of the request itself.' } },
    needs: { flags: ['id', 'self'], problem: 'Must specify the -id parameter' },
    failure: 'Error reading token "%s"',
    subject: 'id',
    partial: 'Error determining token ID',
  },
  {
    name: 'acl token update',
    summary: 'Change a token',
    flags: {
      ...description,
      ...id,
      ...policies,
      ...roles,
      ...identities,
      ...shown,
      'merge-node-identities': { kind: 'boolean', about: 'Add node identities to those it has.' },
      'merge-policies': { kind: 'boolean', about: 'Add policies to those it has.' },
      'merge-roles': { kind: 'boolean', about: 'Add roles to those it has.' },
      'merge-service-identities': { kind: 'boolean', about: 'Add service identities to those it has.' },
      'upgrade-legacy': { kind: 'boolean', about: 'Make a legacy token one of the new kind.' },
    },
    needs: { flags: ['id'], problem: 'Cannot update a token without specifying the -id parameter' },
    failure: 'Error when retrieving current token',
    partial: 'Error determining token ID',
  },
  {
    name: 'acl translate-rules',
    summary: 'Write legacy rules in the new form',
    flags: {
      'token-accessor': { kind: 'boolean', about: 'The argument is the ID of a token.' },
      'token-secret': { kind: 'boolean', about: 'The argument is the secret of a token.' },
    },
    takes: 'RULES',
    failure: 'Failed to translate rules',
  },
]
