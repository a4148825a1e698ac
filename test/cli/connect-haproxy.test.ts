import test from 'ava'
import { runCommand, tryCommand } from './kit.ts'

test('connect haproxy wants to know which proxy it is, and finds the one of a service', async (t) => {
  const missing = await runCommand(['connect', 'haproxy'])
  t.deepEqual(
    [missing.code, missing.err],
    [1, '==> Error preparing configuration: -sidecar-for or -proxy-id must say which proxy this is.\n'],
  )
  const services = { web: { ID: 'web' } }
  const none = await tryCommand(['connect', 'haproxy', '-sidecar-for=web'], { 'GET /v1/agent/services': { json: services } })
  t.deepEqual([none.code, none.err], [1, '==> Error preparing configuration: No sidecar proxy registered for web\n'])
})

test('connect haproxy says what is wrong with its arguments', async (t) => {
  t.regex((await runCommand(['connect', 'haproxy', 'web'])).err, /^Error: Too many arguments \(expected 0, got 1\)\n|^Too many arguments/)
  t.regex((await runCommand(['connect', 'haproxy', '-log-level=loud', '-proxy-id=x'])).err, /Unknown log level: loud/)
})
