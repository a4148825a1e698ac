import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import test from 'ava'
import { keyringPath, withKeyring } from '../../../net/gossip/keyring.ts'
import type { GossipOutcome, GossipRequest } from '../../../src/kernel/ports.ts'
import { isRefused, type Result, refuse } from '../../../src/kernel/refusal.ts'
import { temporaryDirectory } from '../../kit/temporary-directory.ts'

const [ONE, TWO] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(16, 2).toString('base64')]

/** A device that does what it is told, and what it was told. */
function recorder(fault?: string) {
  const seen: GossipRequest[] = []
  const device = {
    perform(request: GossipRequest, done: (result: Result<GossipOutcome>) => void) {
      seen.push(request)
      done(request.do === 'keys' && fault !== undefined ? refuse('invalid', fault) : { peer: 'p' })
    },
  }
  return { seen, device }
}

function ask(device: ReturnType<typeof withKeyring>, request: GossipRequest): Result<GossipOutcome> {
  let outcome: Result<GossipOutcome> = refuse('late', 'nothing was done')
  device.perform(
    request,
    (result) => {
      outcome = result
    },
    () => undefined,
  )
  return outcome
}

const listen = (...keys: string[]): GossipRequest => ({ do: 'listen', address: '127.0.0.1', port: 0, keys })

test('keys are kept where only their owner may read them, and count instead of those of the configuration', (t) => {
  const directory = temporaryDirectory(t)
  const { device, seen } = recorder()
  t.deepEqual(ask(withKeyring(device, directory), listen(ONE)), { peer: 'p', keys: [ONE] })
  t.is(statSync(keyringPath(directory)).mode & 0o777, 0o600)
  t.deepEqual(ask(withKeyring(device, directory), { do: 'keys', keys: [TWO, ONE] }), {})
  t.deepEqual(JSON.parse(readFileSync(keyringPath(directory), 'utf8')), [TWO, ONE])
  t.deepEqual(ask(withKeyring(device, directory), listen(ONE)), { peer: 'p', keys: [TWO, ONE] })
  t.like(seen.at(-1), { do: 'listen', keys: [TWO, ONE] })
  t.deepEqual(ask(withKeyring(device, directory), { do: 'join-topic', topic: 't' }), { peer: 'p' })
})

test('without a directory, or without a key, there is no file', (t) => {
  const { device } = recorder()
  t.deepEqual(ask(withKeyring(device, undefined), listen(ONE)), { peer: 'p', keys: [ONE] })
  t.deepEqual(ask(withKeyring(device, undefined), { do: 'keys', keys: [TWO] }), {})
  const directory = temporaryDirectory(t)
  t.deepEqual(ask(withKeyring(device, directory), listen()), { peer: 'p', keys: [] })
  t.throws(() => statSync(keyringPath(directory)))
})

test('a file that holds no keys is named with what is wrong, and keys that were refused are not kept', (t) => {
  const directory = temporaryDirectory(t)
  const path = keyringPath(directory)
  mkdirSync(dirname(path))
  for (const [text, why] of [
    ['{', /local\.keyring cannot be read: /],
    ['{}', /local\.keyring holds no list of keys/],
    ['["short"]', /local\.keyring holds no key at position 0: it is not written in Base64/],
    ['[5]', /position 0: it is no text/],
  ] as const) {
    writeFileSync(path, text)
    const outcome = ask(withKeyring(recorder().device, directory), listen(ONE))
    t.regex(isRefused(outcome) ? outcome.why : '', why)
  }
  t.like(ask(withKeyring(recorder('no key').device, directory), { do: 'keys', keys: [TWO] }), { refused: 'invalid' })
  t.is(readFileSync(path, 'utf8'), '[5]')
})
