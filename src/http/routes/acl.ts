import type { AskRoute, Route } from '../route.ts'

/** Without access control lists, every endpoint of theirs answers the same. */
const DISABLED = { status: 401, text: 'ACL support disabled' }

const PATHS: Readonly<Record<string, readonly AskRoute['method'][]>> = {
  '/v1/acl/bootstrap': ['PUT'],
  '/v1/acl/replication': ['GET'],
  '/v1/acl/login': ['POST'],
  '/v1/acl/logout': ['POST'],
  '/v1/acl/tokens': ['GET'],
  '/v1/acl/token': ['PUT'],
  '/v1/acl/token/*rest': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/policies': ['GET'],
  '/v1/acl/policy': ['PUT'],
  '/v1/acl/policy/*rest': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/roles': ['GET'],
  '/v1/acl/role': ['PUT'],
  '/v1/acl/role/*rest': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/auth-methods': ['GET'],
  '/v1/acl/auth-method': ['PUT'],
  '/v1/acl/auth-method/*rest': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/binding-rules': ['GET'],
  '/v1/acl/binding-rule': ['PUT'],
  '/v1/acl/binding-rule/*rest': ['GET', 'PUT', 'DELETE'],
  '/v1/acl/rules/translate': ['POST'],
  '/v1/acl/rules/translate/*rest': ['GET'],
  '/v1/acl/create': ['PUT'],
  '/v1/acl/update': ['PUT'],
  '/v1/acl/destroy/*rest': ['PUT'],
  '/v1/acl/info/*rest': ['GET'],
  '/v1/acl/clone/*rest': ['PUT'],
  '/v1/acl/list': ['GET'],
  '/v1/internal/acl/authorize': ['POST'],
}

/** All of /v1/acl, also in the form it had before Consul 1.4, and POST /v1/internal/acl/authorize */
export const aclRoutes: readonly Route[] = Object.entries(PATHS).flatMap(([path, methods]) =>
  methods.map((method) => disabled(method, path)),
)

function disabled(method: AskRoute['method'], path: string): Route {
  return { method, path, ask: () => DISABLED, reply: () => DISABLED }
}
