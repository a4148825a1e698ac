import test from 'ava'
import fc from 'fast-check'
import { printable } from '../../src/kernel/printable.ts'

test('what moves, colours or turns what is shown is written as escapes', (t) => {
  t.is(printable('\u001b[2J\u009b1mweb\r\n\u202ebew'), '\\u001b[2J\\u009b1mweb\\r\\n\\u202ebew')
  t.is(printable('two\nlines\tand a \u0007', true), 'two\nlines\tand a \\u0007')
  t.is(printable('Grüße, 世界 👍'), 'Grüße, 世界 👍')
})

test('whatever a text is, nothing of the kind is left, and a text without it stays as it is', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text)
      t.notRegex(shown, /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
      t.is(printable(shown), shown)
    }),
  )
})
