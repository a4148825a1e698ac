import fc from 'fast-check'
import type { Expression, Match } from '../../src/filter/syntax.ts'

/** Values of the shape that generated expressions are about. */
export type Item = { Name: string; Port: number; Native: boolean; Tags: string[]; Meta: Record<string, string> | null }

const names = fc.constantFrom('', 'a', 'b', 'ab', 'a b', 'é"', '7', '0')
const ports = fc.constantFrom('0', '7', '8')

export const items: fc.Arbitrary<Item> = fc.record({
  Name: names,
  Port: ports.map(Number),
  Native: fc.boolean(),
  Tags: fc.array(names, { maxLength: 3 }),
  Meta: fc.option(fc.dictionary(fc.constantFrom('a', 'a-b'), names)),
})

const matches: fc.Arbitrary<Match> = fc.oneof(
  comparisons(['Name'], names, 'Equal', 'Not Equal', 'In', 'Not In'),
  comparisons(['Port'], ports, 'Equal', 'Not Equal'),
  comparisons(['Native'], fc.constantFrom('true', 'false', '1', 'F'), 'Equal', 'Not Equal'),
  comparisons(['Tags'], names, 'In', 'Not In'),
  comparisons(['Tags'], fc.constant(undefined), 'Is Empty', 'Is Not Empty'),
  comparisons(['Meta'], fc.constantFrom('a', 'a-b', 'c'), 'In', 'Not In'),
  comparisons(['Meta'], fc.constant(undefined), 'Is Empty', 'Is Not Empty'),
  comparisons(['Meta', 'a'], names, 'Equal', 'Not Equal', 'In', 'Not In'),
  comparisons(['Meta', 'a-b'], names, 'Equal', 'Not Equal', 'In', 'Not In'),
)

export const expressions: fc.Arbitrary<Expression> = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    matches,
    tie('expression').map((of): Expression => ({ kind: 'not', of })),
    lists('and', tie('expression')),
    lists('or', tie('expression')),
  ),
})).expression

/** The expression as text, in one of the many ways to write it. `choose` draws from 0 to 7. */
export function written(expression: Expression, choose: () => number): string {
  const space = () => [' ', '  ', '\n', '\t', ' \r\n '][choose()] ?? ' '
  const maybe = () => (choose() < 2 ? space() : '')
  const grouped = (text: string) => `(${maybe()}${text}${maybe()})`
  const part = (one: Expression) => {
    const text = written(one, choose)
    return one.kind === 'match' && choose() > 1 ? text : grouped(text)
  }
  if (expression.kind === 'not') return `not${space()}${part(expression.of)}`
  if (expression.kind !== 'match') return expression.of.map(part).join(`${space()}${expression.kind}${space()}`)
  const { path, operator, value = '' } = expression
  const selector = path
    .map((name, at) =>
      at === 0 ? name : /^\w+$/.test(name) && choose() < 4 ? `.${name}` : `[${maybe()}${quoted(name, choose)}${maybe()}]`,
    )
    .join('')
  const literal = /^([a-zA-Z]\w*|0|[1-9]\d*)$/.test(value) && choose() < 4 ? value : quoted(value, choose)
  if (operator === 'Equal') return `${selector}${maybe()}==${maybe()}${literal}`
  if (operator === 'Not Equal') return `${selector}${maybe()}!=${maybe()}${literal}`
  const words = (text: string) => text.toLowerCase().split(' ').join(space())
  if (operator === 'Is Empty' || operator === 'Is Not Empty') return `${selector}${space()}${words(operator)}`
  if (choose() < 4) return `${literal}${space()}${words(operator)}${space()}${selector}`
  return `${selector}${space()}${words(operator.replace('In', 'contains'))}${space()}${literal}`
}

/** The same as it is read: two negations are none, and a list within parentheses stays a list of its own. */
export function flat(expression: Expression): Expression {
  if (expression.kind === 'match') return expression
  if (expression.kind !== 'not') return { kind: expression.kind, of: expression.of.map(flat) }
  return { kind: 'not', of: flat(expression.of) }
}

/** What the expression says of an item: a second, naive reading of the reference. */
export function holds(expression: Expression, item: Item): boolean {
  if (expression.kind === 'not') return !holds(expression.of, item)
  if (expression.kind === 'and') return expression.of.every((one) => holds(one, item))
  if (expression.kind === 'or') return expression.of.some((one) => holds(one, item))
  const { path, operator, value = '' } = expression
  if (operator.includes('Not')) return !holds({ ...expression, operator: operator.replace('Not ', '') as Match['operator'] }, item)
  const [field, key] = path
  const found = field === 'Meta' && key !== undefined ? item.Meta?.[key] : item[field as keyof Item]
  if (found === undefined) return false
  if (operator === 'Is Empty') return Object.keys(found ?? {}).length === 0
  if (typeof found === 'boolean') return found === ['true', '1'].includes(value)
  if (operator === 'Equal') return String(found) === value
  if (typeof found === 'string' || Array.isArray(found)) return found.includes(value)
  return Object.keys(found ?? {}).includes(value)
}

function comparisons(path: string[], values: fc.Arbitrary<string | undefined>, ...operators: Match['operator'][]): fc.Arbitrary<Match> {
  return fc.record({ kind: fc.constant('match'), path: fc.constant(path), operator: fc.constantFrom(...operators), value: values })
}

function lists(kind: 'and' | 'or', of: fc.Arbitrary<Expression>): fc.Arbitrary<Expression> {
  return fc.array(of, { minLength: 2, maxLength: 3 }).map((parts): Expression => ({ kind, of: parts }))
}

function quoted(text: string, choose: () => number): string {
  if (text.includes('"')) return `\`${text}\``
  return choose() < 4 ? `"${text}"` : `\`${text}\``
}
