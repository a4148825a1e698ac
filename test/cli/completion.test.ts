import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { commands } from '../../src/cli/index.ts'
import { TRIBUNE, temporaryDirectory } from '../kit/agents.ts'
import { runProgram } from '../kit/running.ts'
import { runCommand } from './kit.ts'

async function offered(line: string): Promise<string[]> {
  const { code, out } = await runCommand([], { env: { COMP_LINE: line } })
  return code === 0 ? out.split('\n').slice(0, -1) : [`exit code ${code}`]
}

test('words of commands are offered, one by one', async (t) => {
  t.deepEqual(await offered('tribune ca'), ['catalog'])
  t.deepEqual(await offered('tribune catalog '), ['-help', 'datacenters', 'nodes', 'services'])
  t.deepEqual(await offered('tribune connect ca g'), ['get-config'])
  t.true((await offered('tribune ')).includes('-autocomplete-install'))
  t.deepEqual(await offered('tribune zz '), [])
})

test('flags and their values are offered from the tables of the help', async (t) => {
  t.deepEqual(await offered('tribune watch -t'), ['-tag', '-tls-server-name', '-token', '-token-file', '-type'])
  t.deepEqual(await offered('tribune watch --ty'), ['--type'])
  t.deepEqual(await offered('tribune watch -type '), ['checks', 'event', 'key', 'keyprefix', 'nodes', 'service', 'services'])
  t.deepEqual(await offered('tribune watch -type=n'), ['-type=nodes'])
  t.deepEqual(await offered('tribune members -wan -format '), ['json', 'table'])
  t.deepEqual(await offered('tribune agent -dev -dns-p'), ['-dns-port'])
  t.deepEqual(await offered('tribune kv get '), [], 'a key is not for us to know')
  t.deepEqual(await offered('tribune kv put -flags '), [])
  t.deepEqual(await offered('tribune exec -- -'), [])
})

test('only what stands before the cursor counts', async (t) => {
  const { out } = await runCommand([], { env: { COMP_LINE: 'tribune kv get x', COMP_POINT: '11' } })
  t.is(out, 'delete\nexport\nget\nimport\nput\n'.replace(/^/, '-help\n'))
})

test('every command offers all its flags', async (t) => {
  for (const { name, load } of commands) {
    const flags = Object.keys(await (await load()).flags()).map((flag) => `-${flag}`)
    t.deepEqual(await offered(`tribune ${name} -`), [...flags, '-help'].sort(), name)
  }
})

test('completion is written for the shells that are there, once, and taken back', async (t) => {
  const home = temporaryDirectory(t)
  const run = (flag: string) => runCommand([flag], { env: { HOME: home } })
  t.deepEqual(await run('-autocomplete-install'), { code: 1, out: '', err: 'Did not find any shells to install\n' })
  writeFileSync(join(home, '.bashrc'), 'alias x=y')
  writeFileSync(join(home, '.zshrc'), '')
  mkdirSync(join(home, '.config', 'fish'), { recursive: true })
  t.is((await run('-autocomplete-install')).code, 0)
  t.is(readFileSync(join(home, '.bashrc'), 'utf8'), 'alias x=y\ncomplete -o default -C tribune tribune\n')
  t.is(
    readFileSync(join(home, '.zshrc'), 'utf8'),
    '(( $+functions[compdef] )) || { autoload -U +X compinit && compinit }\nautoload -U +X bashcompinit && bashcompinit\ncomplete -o default -C tribune tribune\n',
  )
  const fish = join(home, '.config', 'fish', 'completions', 'tribune.fish')
  t.regex(readFileSync(fish, 'utf8'), /^complete -c tribune -f -n __complete_tribune -a '\$__completions_of_tribune'$/m)
  const again = await run('--autocomplete-install')
  t.is(again.code, 1)
  t.true(again.err.startsWith(`already installed in ${join(home, '.bashrc')}\n`))
  t.is((await run('-autocomplete-uninstall')).code, 0)
  t.is(readFileSync(join(home, '.bashrc'), 'utf8'), 'alias x=y\n')
  t.false(existsSync(fish))
  t.is((await run('-autocomplete-uninstall')).code, 1)
})

test('install and uninstall at once, and flags that are neither, are refused', async (t) => {
  t.like(await runCommand(['-autocomplete-install', '-autocomplete-uninstall']), { code: 1, err: 'Either the autocomplete install or uninstall flag may be specified, but not both.\n' }) // biome-ignore format: one line
  t.like(await runCommand(['-autocomplete-foo']), { code: 1, err: 'flag provided but not defined: -autocomplete-foo\n' })
})

test('bash completes a command line with it', async (t) => {
  const folder = temporaryDirectory(t)
  const script = `
    complete -o default -C ${TRIBUNE} tribune
    COMP_LINE='tribune operator ra' COMP_POINT=19 ${TRIBUNE} tribune ra operator
    complete -p tribune`
  const { out } = await runProgram(t, 'bash', ['-c', script], { cwd: folder, env: process.env })
  t.is(out, `raft\ncomplete -o default -C '${TRIBUNE}' tribune\n`)
})
