/** The commands about ACLs that are made from the table in acl-rules.ts. */
export const aclNames: readonly string[] = [
  ...['create', 'delete', 'list', 'read', 'update'].flatMap((verb) =>
    ['auth-method', 'binding-rule', 'policy', 'role', 'token'].map((what) => `acl ${what} ${verb}`),
  ),
  'acl bootstrap',
  'acl set-agent-token',
  'acl token clone',
  'acl translate-rules',
]
