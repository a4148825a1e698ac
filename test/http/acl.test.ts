import test from 'ava'
import { aclRoutes } from '../../src/http/routes/acl.ts'
import { asked } from '../kit/http.ts'

test('without access control lists every endpoint of theirs says so', (t) => {
  for (const { method, path } of aclRoutes) {
    t.deepEqual(asked(method, path.replace('*rest', 'x')), { status: 401, text: 'ACL support disabled' }, `${method} ${path}`)
  }
  const paths = new Set(aclRoutes.map(({ method, path }) => `${method} ${path}`))
  for (const one of ['PUT /v1/acl/bootstrap', 'POST /v1/acl/login', 'GET /v1/acl/tokens', 'PUT /v1/acl/create']) t.true(paths.has(one), one)
})
