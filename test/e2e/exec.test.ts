import test from 'ava'
import { runTribune, startAgent } from '../kit/agents.ts'

test('exec runs a command, a script or a program on an agent that allows it, and leaves nothing behind', async (t) => {
  t.timeout(120_000)
  const agent = await startAgent(t, { files: { 'exec.json': { disable_remote_exec: false, node_name: 's1' } } })
  const exec = (...args: string[]) => agent.tribune('exec', '-wait=1s', ...args)
  t.deepEqual(await exec('echo hi'), {
    code: 0,
    signal: null,
    out: '    s1: hi\n    s1:\n==> s1: finished with exit code 0\n1 / 1 node(s) completed / acknowledged\n',
    err: '',
  })
  t.like(await exec('-shell=false', 'sh', '-c', 'printf %s "$0"; exit 3', 'a  b'), {
    code: 2,
    out: '    s1: a  b\n==> s1: finished with exit code 3\n1 / 1 node(s) completed / acknowledged\n',
  })
  const stdin = '#!/bin/sh\necho from a file\n'
  const script = await runTribune(t, ['exec', '-wait=1s', '-'], { CONSUL_HTTP_ADDR: agent.address }, { stdin })
  t.like(script, {
    code: 0,
    out: '    s1: from a file\n    s1:\n==> s1: finished with exit code 0\n1 / 1 node(s) completed / acknowledged\n',
  })
  const { out } = await exec("head -c 300000 /dev/zero | tr '\\0' x")
  const told = out.split('\n').filter((line) => /^ {4}s1: x+$/.test(line))
  t.is(
    told.reduce((length, line) => length + line.length - '    s1: '.length, 0),
    300_000,
  )
  t.like(await exec('-node=other', 'true'), { code: 0, out: '0 / 0 node(s) completed / acknowledged\n' })
  t.is((await agent.http('GET', '/v1/kv/_rexec?recurse')).status, 404)
  t.deepEqual(await agent.json('/v1/session/list'), [])
})

test('a command that is quiet for longer than anybody waits gives signs of life', async (t) => {
  t.timeout(120_000)
  const agent = await startAgent(t, { files: { 'exec.json': { disable_remote_exec: false, node_name: 's1' } } })
  const { code, out } = await agent.tribune('exec', '-wait=1s', '-verbose', 'sleep 3; echo done')
  t.is(code, 0)
  t.regex(out, /==> s1: heartbeat received\n(.*\n)* {4}s1: done\n/)
})
