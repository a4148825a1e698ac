import test from 'ava'
import fc from 'fast-check'
import { boolean, type Fields, map, number, record, records, text, texts } from '../../src/filter/fields.ts'
import { filterCompiler } from '../../src/filter/index.ts'
import { isRefused } from '../../src/kernel/refusal.ts'
import { expressions, holds, items, written } from './expressions.ts'

const FIELDS: Fields = {
  Name: text,
  Port: number,
  Native: boolean,
  Tags: texts,
  Meta: map(text),
  Addresses: map(record({ Address: text, Port: number })),
  Proxy: record({ Mode: text, Upstreams: records({ Name: text, Port: number }) }),
}
const filters = filterCompiler(FIELDS)

const ITEM = {
  Name: 'web',
  Port: 80,
  Native: true,
  Tags: ['v1', 'prod'],
  Meta: { zone: 'a', 'a-b': 'x' },
  Addresses: { lan: { Address: '10.0.0.1', Port: 81 } },
  Proxy: { Mode: 'direct', Upstreams: [{ Name: 'db', Port: 1 }, { Name: 'cache' }] },
}
/** What is empty is often not shown at all. */
const EMPTY = { Meta: null }

function answer(expression: string, item: unknown): boolean | string {
  const filter = filters(expression)
  const kept = isRefused(filter) ? filter : filter([item])
  return isRefused(kept) ? kept.why : kept.length === 1
}

const ANSWERS: [expression: string, item: boolean, empty: boolean][] = [
  ['Name == web', true, false],
  ['Name != web', false, true],
  ['Name == ""', false, true],
  ['we in Name', true, false],
  ['Name contains eb', true, false],
  ['Name matches "^w.b$"', true, false],
  ['Name not matches "^w.b$"', false, true],
  ['Port == 80', true, false],
  ['Port == "0x50"', true, false],
  ['Port == "0120"', true, false],
  ['Port == "8_0"', true, false],
  ['Port != 80', false, true],
  ['Port == 0', false, true],
  ['Native == true', true, false],
  ['Native == T', true, false],
  ['Native == 0', false, true],
  ['v1 in Tags', true, false],
  ['Tags not contains v1', false, true],
  ['v in Tags', false, false],
  ['Tags is empty', false, true],
  ['zone in Meta', true, false],
  ['Meta is not empty', true, false],
  ['Meta.zone == a', true, false],
  ['Meta.zone != a', false, true],
  ['Meta["a-b"] matches x', true, false],
  ['Meta["a-b"] not matches x', false, true],
  ['Meta.none == ""', false, false],
  ['Meta.none != ""', true, true],
  ['x in Meta.none', false, false],
  ['toString in Meta', false, false],
  ['Addresses.lan.Port == 81', true, false],
  ['Addresses.wan.Port != 81', true, true],
  ['Proxy.Mode == direct', true, false],
  ['Proxy.Upstreams is empty', false, true],
  ['Proxy.Upstreams.Name == db', true, false],
  ['Proxy.Upstreams.Name != db', true, false],
  ['Proxy.Upstreams.Port == 0', true, false],
  ['not Proxy.Upstreams.Name == db', false, true],
]

for (const [expression, ofItem, ofEmpty] of ANSWERS) {
  test(`an expression means what it means in Consul: ${expression}`, (t) => {
    t.deepEqual([answer(expression, ITEM), answer(expression, EMPTY)], [ofItem, ofEmpty])
  })
}

const WRONG: [expression: string, why: string][] = [
  ['Foo == 1', 'Selector "Foo" is not valid'],
  ['Name == 1 and Name.Foo == 1', 'Selector "Name.Foo" is not valid'],
  ['toString == 1', 'Selector "toString" is not valid'],
  ['Addresses.lan.Foo.Bar == 1', 'Selector "Addresses.lan.Foo" is not valid'],
  ['Tags == v1', 'Invalid match operator "Equal" for selector "Tags"'],
  ['Tags.x == v1', 'Selector "Tags.x" is not valid'],
  ['Name is empty', 'Invalid match operator "Is Empty" for selector "Name"'],
  ['Proxy == x', 'Invalid match operator "Equal" for selector "Proxy"'],
  ['x not in Port', 'Invalid match operator "Not In" for selector "Port"'],
  ['Port not matches x', 'Invalid match operator "Not Matches" for selector "Port"'],
  ['Port == abc', 'Failed to coerce value "abc" for selector "Port": strconv.ParseInt: parsing "abc": invalid syntax'],
  ['Port == 1.5', 'Failed to coerce value "1.5" for selector "Port": strconv.ParseInt: parsing "1.5": invalid syntax'],
  [
    'Port != 9223372036854775808',
    'Failed to coerce value "9223372036854775808" for selector "Port": strconv.ParseInt: parsing "9223372036854775808": value out of range',
  ],
  ['Native == yes', 'Failed to coerce value "yes" for selector "Native": strconv.ParseBool: parsing "yes": invalid syntax'],
  ['Name matches "a("', 'Failed to compile regular expression "a(": error parsing regexp: missing closing ): `a(`'],
  ['Name ==', '1:8 (7): no match found, expected: "-", "0", "\\"", "`", [ \\t\\r\\n], [1-9] or [a-zA-Z]'],
]

for (const [expression, why] of WRONG) {
  test(`what makes no sense is said as Consul says it: ${expression}`, (t) => {
    t.is(answer(expression, ITEM), `Failed to create boolean expression evaluator: ${why}`)
  })
}

test('any expression, written in any way, keeps what a naive reading keeps', (t) => {
  fc.assert(
    fc.property(expressions, fc.array(items, { maxLength: 4 }), fc.infiniteStream(fc.nat(7)), (expression, list, choices) => {
      const filter = filters(written(expression, () => choices.next().value ?? 0))
      if (isRefused(filter)) return t.fail(filter.why)
      t.deepEqual(
        filter(list),
        list.filter((item) => holds(expression, item)),
      )
    }),
    { numRuns: 500 },
  )
})

test('the same text gives the same filter as long as it is among those used last', (t) => {
  const filter = filters('Name == kept')
  t.is(filters('Name == kept'), filter)
  for (let port = 0; port < 100; port++) filters(`Port == ${port}`)
  t.not(filters('Name == kept'), filter)
})

test('an expression that needs too much work is refused, whatever it looks like', (t) => {
  const item = { Name: 'a'.repeat(4_096) }
  const list = Array(10_000).fill(item)
  for (const expression of ['Name matches "(a|aa|aaa){1,900}b"', Array(100).fill('b in Name').join(' or ')]) {
    const filter = filters(expression)
    t.like(isRefused(filter) ? filter : filter(list), {
      refused: 'busy',
      why: 'Filter expression needs more than 20000000 steps; narrow the list or the expression',
    })
  }
})

test('an expression longer than any is refused before it is read, and a large pattern too', (t) => {
  t.is(
    answer(`Name == ${'a'.repeat(70_000)}`, ITEM),
    'Failed to create boolean expression evaluator: expression is longer than 65536 characters',
  )
  for (const part of ['a', '[^a]', '(a|b)*', '\\Qa\\E']) {
    const pattern = `(${part.repeat(200)}){999}`
    t.is(
      answer(`Name matches \`${pattern}\``, ITEM),
      `Failed to create boolean expression evaluator: Failed to compile regular expression ${JSON.stringify(pattern)}: error parsing regexp: expression too large`,
    )
  }
})
