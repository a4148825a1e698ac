import test from 'ava'
import { createLogger } from '../../net/logger.ts'

/** What is written of one line, by a log of either form. */
function logged(json: boolean, line: string, facts: Record<string, unknown>): string {
  const written: string[] = []
  const config = { level: 'info', json, file: '', rotateBytes: 0, rotateDurationMs: 0, rotateMaxFiles: 0 } as const
  createLogger(config, (text) => written.push(text)).print('warn', 'proxy', line, facts)
  return written.join('')
}

const FORGED = 'web\r\n2026-01-01T00:00:00.000Z [ERROR] consul: stolen\u001b[2K'

test('a name with line ends begins no line of its own, and does nothing to a terminal', (t) => {
  for (const text of [logged(false, `Refused ${FORGED}`, {}), logged(false, 'Refused', { source: FORGED })]) {
    t.notRegex(text, /^2026-01-01/m)
    t.notRegex(text, /[\r\u001b]/)
    t.true(text.endsWith('\n'))
  }
  t.is(logged(false, `Refused ${FORGED}`, { source: FORGED }).split('\n').length, 2)
  t.notRegex(logged(false, 'failed', { error: FORGED }), /^2026-01-01|[\r\u001b]/m)
})

test('JSON stays one line that says what was meant', (t) => {
  const text = logged(true, 'Refused', { source: `${FORGED}\u009b\u202e` })
  t.is(text.split('\n').length, 2)
  t.notRegex(text.trimEnd(), /[\p{Cc}\p{Bidi_Control}]/u)
  t.is((JSON.parse(text) as { source: string }).source, `${FORGED}\u009b\u202e`)
})

test('a value of several lines, such as where something failed, stays readable', (t) => {
  t.regex(logged(false, 'failed', { error: 'Error: no\n  at line 1' }), /: error=\n {2}Error: no\n {4}at line 1\n$/)
})
