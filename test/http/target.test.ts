import test from 'ava'
import fc from 'fast-check'
import { cleanPath, isUnprintable, redirected, targetOf } from '../../src/http/target.ts'

test('a target has a decoded path, the path as it came and a query', (t) => {
  t.deepEqual(targetOf('/v1/kv/a%20b%2Fc%3Fd?raw&x=%20'), {
    path: '/v1/kv/a b/c?d',
    rawPath: '/v1/kv/a%20b%2Fc%3Fd',
    queryText: 'raw&x=%20',
  })
  t.deepEqual(targetOf('http://agent:8500/v1/kv/?keys'), { path: '/v1/kv/', rawPath: '/v1/kv/', queryText: 'keys' })
  for (const path of ['/v1/kv/%ff', '/v1/kv/%zz', '/%']) t.like(targetOf(path), { status: 400 })
})

test('characters that cannot be printed are found, in every script', (t) => {
  for (const path of ['/v1/kv/a b', '/v1/kv/☃', '/v1/kv/é', '/v1/kv/日本', '/v1/kv/👍']) t.false(isUnprintable(path), path)
  for (const character of ['\n', '\0', '\x7f', '\u0085', '\u00a0', '\u200b', '\ue000']) t.true(isUnprintable(`/v1/kv/${character}`))
})

test('paths with empty or dotted parts have another that is clean', (t) => {
  for (const path of ['/', '/v1/kv/', '/v1/kv/a.b/..c/...', '/v1/kv/a/b/']) t.is(cleanPath(path), undefined)
  t.is(cleanPath('//v1/status/leader'), '/v1/status/leader')
  t.is(cleanPath('/v1/kv/a/../b'), '/v1/kv/b')
  t.is(cleanPath('/v1/kv/./a//'), '/v1/kv/a/')
  t.is(cleanPath('/../..'), '/')
  t.is(cleanPath('*'), '/*')
})

test('a redirect names the place with its escapes and query, and readers get a page', (t) => {
  t.deepEqual(redirected('PUT', '/v1/kv/ü b?c#d%', 'cas=1'), {
    status: 301,
    headers: { Location: '/v1/kv/%C3%BC%20b%3Fc%23d%25?cas=1' },
  })
  t.deepEqual(redirected('GET', '/v1/kv/', 'keys&a="'), {
    status: 301,
    headers: { Location: '/v1/kv/?keys&a="' },
    text: '<a href="/v1/kv/?keys&amp;a=&#34;">Moved Permanently</a>.\n\n',
    type: 'text/html; charset=utf-8',
  })
})

test('whoever follows a redirect comes to a clean path', (t) => {
  const part = fc.oneof(fc.constantFrom('', '.', '..', 'v1', 'kv'), fc.string({ unit: 'grapheme' }))
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), (parts) => {
      const path = `/${parts.join('/')}`
      const clean = cleanPath(path)
      if (clean === undefined) return
      t.is(cleanPath(clean), undefined)
      const { headers } = redirected('PUT', clean, '')
      const location = String(headers?.['Location'] ?? '')
      t.deepEqual(targetOf(location), { path: clean, rawPath: location, queryText: '' })
    }),
  )
})
