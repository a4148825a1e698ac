import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { dropStaleSocket } from '../../net/stale-socket.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { runProgram } from '../kit/running.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { Rig } from './mesh/kit.ts'

test('a socket that somebody left is removed; one in use, other files, links and folders stay', async (t) => {
  const folder = temporaryDirectory(t)
  const [left, used, file, link, below] = ['left', 'used', 'file', 'link', 'folder'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const listenAndDie = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`
  await runProgram(t, process.execPath, ['-e', listenAndDie])
  t.true(statSync(left).isSocket())
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(used, resolve))
  t.teardown(() => server.close())
  writeFileSync(file, 'precious')
  symlinkSync(file, link)
  mkdirSync(below)
  for (const path of [left, used, file, link, below, join(folder, 'nothing'), join(file, 'below')]) await dropStaleSocket(path)
  t.false(existsSync(left))
  t.true(statSync(used).isSocket())
  t.is(readFileSync(link, 'utf8'), 'precious')
  t.true(existsSync(below))
})

test('an upstream whose socket is to be where a file is gets none, and the file stays', async (t) => {
  const rig = new Rig()
  t.teardown(() => rig.end())
  const socketPath = join(temporaryDirectory(t), 'precious')
  writeFileSync(socketPath, 'precious')
  const outcome = await rig.ask({
    do: 'listen',
    owner: 'web',
    side: 'upstream',
    address: '',
    port: 0,
    socketPath,
    handshakeMs: 1_000,
    connectionsMax: 0,
  })
  t.regex(isRefused(outcome) ? outcome.why : '', /address already in use$/)
  t.is(readFileSync(socketPath, 'utf8'), 'precious')
})
