import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createProfiles } from '../../net/http/profiles.ts'

/** What is answered to a path by a server of its own; others than profiles get 299. */
async function asked(t: ExecutionContext, enabled: boolean, path: string): Promise<{ status: number; text: string }> {
  const profiles = createProfiles({ enabled, failed: (error) => t.fail(error.message) })
  const server = createServer((message, response) => {
    if (profiles.take(message, response)) return
    response.writeHead(299)
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const reply = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
  const text = await reply.text()
  server.close()
  return { status: reply.status, text }
}

test('without enable_debug there are no profiles', async (t) => {
  t.deepEqual(await asked(t, false, '/debug/pprof/profile'), { status: 401, text: 'ACL support disabled' })
  t.is((await asked(t, false, '/v1/kv/x')).status, 299)
})

test('a profile tells where the time went', async (t) => {
  const { status, text } = await asked(t, true, '/debug/pprof/profile?seconds=0.05')
  t.is(status, 200)
  t.true(Array.isArray((JSON.parse(text) as { nodes: unknown }).nodes))
  const heap = await asked(t, true, '/debug/pprof/heap?seconds=0')
  t.truthy((JSON.parse(heap.text) as { head: unknown }).head)
})

test('what cannot be had is refused', async (t) => {
  t.is((await asked(t, true, '/debug/pprof/trace')).status, 404)
  t.is((await asked(t, true, '/debug/pprof/profile?seconds=x')).status, 400)
  t.regex((await asked(t, true, '/debug/pprof/')).text, /^cmdline /)
})
