import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { aclNames } from '../../src/cli/acl-names.ts'
import { commands, groups } from '../../src/cli/index.ts'
import { temporaryDirectory } from '../kit/temporary-directory.ts'
import { fakeAgent, type Outcome, runCommand } from './kit.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = join(ROOT, 'bin', 'tribune')

/** Runs a program as a shell would. */
function runProgram(program: string, args: readonly string[], { cwd = tmpdir(), env = {}, stdin = '' } = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd, env: { ...process.env, ...env } }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, out, err })
    })
    child.stdin?.end(stdin)
  })
}

test('no command, and one that does not exist, print the usage on standard error and end with 127', async (t) => {
  for (const args of [[], ['zz'], ['zz', 'kv']]) {
    const { code, out, err } = await runProgram(PROGRAM, args)
    t.is(code, 127)
    t.is(out, '')
    t.regex(err, /^Usage: tribune \[--version\] \[--help\] <command> \[<args>\]\n\nAvailable commands are:\n {4}acl {12}Manage/)
  }
})

test('through a link named consul it calls itself so, from any folder', async (t) => {
  const folder = temporaryDirectory(t)
  mkdirSync(join(folder, 'bin'))
  symlinkSync(PROGRAM, join(folder, 'first'))
  symlinkSync('../first', join(folder, 'bin', 'consul'))
  const { code, out } = await runProgram(join(folder, 'bin', 'consul'), ['kv', 'put', '-h'], { cwd: folder })
  t.is(code, 0)
  t.regex(out, /^Usage: consul kv put \[options\] KEY \[DATA\]\n/)
  t.regex(out, /\$ consul kv put config\/limit 5/)
  const fromPath = await runProgram('consul', ['version'], { env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` } })
  t.regex(fromPath.out, /^Tribune v\d+\.\d+\.\d+\nConsul v1\.10\.12 compatible\nProtocol 2 spoken by default, understands 2 to 3 /)
})

test('a command works as a process', async (t) => {
  const agent = await fakeAgent({ 'PUT /v1/kv/x': { text: 'true' } })
  const { code, out } = await runProgram(PROGRAM, ['kv', 'put', 'x', '-'], { env: { CONSUL_HTTP_ADDR: agent.address }, stdin: 'piped' })
  agent.close()
  t.deepEqual([code, out], [0, 'Success! Data written to: x\n'])
  t.is(agent.seen[0]?.body, 'piped')
})

test('an installed package finds the Node of a folder above it and runs what was built', async (t) => {
  const modules = join(temporaryDirectory(t), 'lib', 'node_modules')
  const installed = join(modules, 'tribune')
  mkdirSync(join(modules, 'node', 'bin'), { recursive: true })
  mkdirSync(join(installed, 'dist', 'src'), { recursive: true })
  mkdirSync(join(installed, 'src'))
  mkdirSync(join(installed, 'bin'))
  symlinkSync(process.execPath, join(modules, 'node', 'bin', 'node'))
  for (const file of ['tribune', 'start.js']) copyFileSync(join(ROOT, 'bin', file), join(installed, 'bin', file))
  writeFileSync(join(installed, 'package.json'), '{"type": "module"}')
  writeFileSync(join(installed, 'src', 'main.ts'), 'throw new Error("Node does not read this here")')
  writeFileSync(join(installed, 'dist', 'src', 'main.js'), 'console.log(process.argv.slice(2).join())')
  const program = join(installed, 'bin', 'tribune')
  t.deepEqual(await runProgram(program, ['a', 'b c']), { code: 0, out: 'a,b c\n', err: '' })
  const withoutNode = await runProgram(copyWithoutNode(), ['version'], { env: { PATH: oldNode() } })
  t.is(withoutNode.code, 1)
  t.regex(withoutNode.err, /^tribune: needs Node 24 or later, but .*\/node is v20\.1\.0: run npm ci in /)
})

test('-h, -help and --help anywhere print help on standard output', async (t) => {
  for (const args of [
    ['kv', 'get', '-h'],
    ['kv', '--help', 'get'],
    ['kv', 'get', 'key', '-help'],
  ]) {
    const { code, out, err } = await runCommand(args)
    t.deepEqual([code, err], [0, ''])
    t.regex(out, args[1] === '--help' ? /^Usage: tribune kv <subcommand>/ : /^Usage: tribune kv get/)
  }
  t.regex((await runCommand(['--help'])).out, /^Usage: tribune \[--version\]/)
  t.regex((await runCommand(['-h', 'version'])).out, /^Usage: tribune version/)
  t.regex((await runCommand(['agent', '-h'])).out, /^Usage: tribune agent/)
})

test('a group without a command that it has prints its help on standard error and ends with 1', async (t) => {
  for (const args of [['kv'], ['kv', 'zz'], ['connect', 'ca', 'zz']]) {
    const { code, out, err } = await runCommand(args)
    t.deepEqual([code, out], [1, ''])
    t.regex(err, /^Usage: tribune (kv|connect ca) <subcommand> \[options\] \[args\]\n\n.*\n\nSubcommands:\n {4}/s)
  }
  t.regex((await runCommand(['connect'])).err, /\n {4}ca {18}Look at and change/)
})

test('--version and -v are the command version', async (t) => {
  const { out } = await runCommand(['version'])
  t.is((await runCommand(['--version'])).out, out)
  t.is((await runCommand(['-v'])).out, out)
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  t.true(out.startsWith(`Tribune v${version}\n`))
  t.deepEqual(JSON.parse((await runCommand(['version', '-format=json'])).out), {
    Version: '1.10.12',
    Revision: '',
    Prerelease: '',
    RPC: { Default: 2, Min: 2, Max: 3 },
    Tribune: version,
  })
  t.deepEqual(await runCommand(['version', '-format=foo']), { code: 1, out: '', err: 'Unknown format: foo\n' })
})

test('an unknown flag is named, before all flags there are', async (t) => {
  const { code, out, err } = await runCommand(['info', '-datacenter=dc1'])
  t.deepEqual([code, out], [1, ''])
  t.regex(err, /^flag provided but not defined: -datacenter\nUsage:\n {2}-ca-file value\n {4}\t/)
  t.is((await runCommand(['-zz', 'kv', 'get', 'x'])).code, 1)
})

test('both spellings of flags and values mean the same', async (t) => {
  for (const args of [['-format=json'], ['--format=json'], ['-format', 'json'], ['--format', 'json']]) {
    t.regex((await runCommand(['version', ...args])).out, /^\{\n {3}"Version"/)
  }
})

test('keygen makes keys of 32 bytes that differ', async (t) => {
  const [one, other] = [await runCommand(['keygen']), await runCommand(['keygen'])]
  t.is(Buffer.from(one.out, 'base64').length, 32)
  t.not(one.out, other.out)
})

test('every command has a line in the list, a group for its first words, and help that fits a terminal', async (t) => {
  const folder = join(ROOT, 'src', 'cli')
  const list = readFileSync(join(folder, 'index.ts'), 'utf8')
  const defined = readdirSync(folder).filter((file) =>
    /export const \w+Command(: Command)? =/.test(readFileSync(join(folder, file), 'utf8')),
  )
  t.deepEqual(
    defined.filter((file) => !list.includes(`'./${file}'`)),
    [],
  )
  t.is(defined.length + aclNames.length, commands.length)
  for (const { name, load } of commands) {
    const parent = name.split(' ').slice(0, -1).join(' ')
    t.true(parent === '' || groups.some((group) => group.name === parent), name)
    const help = await (await load()).help({ env: {} })
    t.true(help.startsWith(`Usage: tribune ${name}`), name)
    const long = help.split('\n').filter((line) => line.length > 80 && !/^ {4}\S/.test(line))
    t.deepEqual(long, [], name)
  }
})

/** The program alone, where no Node comes with it. */
function copyWithoutNode(): string {
  const folder = temporaryDirectory()
  mkdirSync(join(folder, 'bin'))
  copyFileSync(PROGRAM, join(folder, 'bin', 'tribune'))
  return join(folder, 'bin', 'tribune')
}

/** A PATH on which Node is old. */
function oldNode(): string {
  const folder = temporaryDirectory()
  writeFileSync(join(folder, 'node'), '#!/bin/sh\necho v20.1.0\n', { mode: 0o755 })
  return `${folder}:/usr/bin:/bin`
}
