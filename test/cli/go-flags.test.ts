import test from 'ava'
import fc from 'fast-check'
import { goFlags, HELP_REQUESTED } from '../../src/cli/go-flags.ts'

const SPEC = { a: 'string', b: 'boolean', n: 'int', u: 'uint', w: 'uint64', d: 'duration', s: 'strings', p: 'pairs' } as const

test('every kind is read in each of its notations, up to the first argument that is no flag', (t) => {
  const args = '-a x -b -n=-5 --u 0x1F -d 1m30s -s 1 -s=2 -p k=v -p=z=y= rest -a'.split(' ')
  t.deepEqual(goFlags(args, SPEC), {
    flags: { a: 'x', b: true, n: -5, u: 31, d: 90_000, s: ['1', '2'], p: { k: 'v', z: 'y=' } },
    rest: ['rest', '-a'],
  })
})

test('numbers of up to 64 bits stay exact', (t) => {
  t.deepEqual(goFlags(['-w', '0xffffffffffffffff'], SPEC), { flags: { w: 2n ** 64n - 1n }, rest: [] })
  t.deepEqual(goFlags(['-w=017'], SPEC), { flags: { w: 15n }, rest: [] })
})

test('a boolean never takes the next argument, and -- ends the flags', (t) => {
  t.deepEqual(goFlags(['-b', 'false'], SPEC), { flags: { b: true }, rest: ['false'] })
  t.deepEqual(goFlags(['-b=false', '--', '-a'], SPEC), { flags: { b: false }, rest: ['-a'] })
  t.deepEqual(goFlags(['-', '-a'], SPEC), { flags: {}, rest: ['-', '-a'] })
})

test('the last use of a flag wins, and an alias is the same flag', (t) => {
  t.deepEqual(goFlags(['-a', '1', '-a=2'], SPEC), { flags: { a: '2' }, rest: [] })
  t.deepEqual(goFlags(['-s', '1', '-t', '2', '-s', '3'], SPEC, { t: 's' }), { flags: { s: ['1', '2', '3'] }, rest: [] })
})

const WRONG: [args: string[], error: string][] = [
  [['-zz'], 'flag provided but not defined: -zz'],
  [['--zz=1'], 'flag provided but not defined: -zz'],
  [['-__proto__', 'x'], 'flag provided but not defined: -__proto__'],
  [['-n', 'x'], 'invalid value "x" for flag -n: parse error'],
  [['-n', '08'], 'invalid value "08" for flag -n: parse error'],
  [['-n', '99999999999999999999'], 'invalid value "99999999999999999999" for flag -n: value out of range'],
  [['-u=-1'], 'invalid value "-1" for flag -u: parse error'],
  [['-w=-1'], 'invalid value "-1" for flag -w: parse error'],
  [['-w', '18446744073709551616'], 'invalid value "18446744073709551616" for flag -w: value out of range'],
  [['-d', '5'], 'invalid value "5" for flag -d: parse error'],
  [['-b=maybe'], 'invalid boolean value "maybe" for -b: parse error'],
  [['-p', 'x'], 'invalid value "x" for flag -p: Missing "=" value in argument: x'],
  [['-a'], 'flag needs an argument: -a'],
  [['---a'], 'bad flag syntax: ---a'],
  [['-=a'], 'bad flag syntax: -=a'],
  [['-h'], HELP_REQUESTED],
]

for (const [args, error] of WRONG) test(`refused: ${args.join(' ')}`, (t) => t.deepEqual(goFlags(args, SPEC), { error }))

test('any arguments are either read or refused', (t) => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('-a', '-b', '-n', '-u', '-d', '-s', '-p', '-n=', '--', '-', '-b=1', '5', '1s', 'k=v'))
  fc.assert(
    fc.property(fc.array(piece), (args) => {
      const parsed = goFlags(args, SPEC)
      t.true('error' in parsed ? parsed.error !== '' : parsed.rest.length <= args.length)
    }),
  )
})
