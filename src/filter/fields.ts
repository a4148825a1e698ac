import type { Operator } from './syntax.ts'

/** What can be selected of a value that is shown as JSON, by kind. What is not shown counts as empty: '', 0, false, no item. */
export type Field =
  | { kind: 'text' }
  | { kind: 'number' }
  | { kind: 'boolean' }
  /** A list of texts. */
  | { kind: 'texts' }
  /** By keys of any name. */
  | { kind: 'map'; of: Field }
  | { kind: 'record'; of: Fields }
  /** A selector below a list is true if it is for any of its items. */
  | { kind: 'records'; of: Fields }
export type Fields = Readonly<Record<string, Field>>

export const text: Field = { kind: 'text' }
export const number: Field = { kind: 'number' }
export const boolean: Field = { kind: 'boolean' }
export const texts: Field = { kind: 'texts' }
export const map = (of: Field): Field => ({ kind: 'map', of })
export const record = (of: Fields): Field => ({ kind: 'record', of })
export const records = (of: Fields): Field => ({ kind: 'records', of })

/** The operators that a kind of field knows. */
export const OPERATORS: Readonly<Record<Field['kind'], readonly Operator[]>> = {
  text: ['Equal', 'Not Equal', 'In', 'Not In', 'Matches', 'Not Matches'],
  number: ['Equal', 'Not Equal'],
  boolean: ['Equal', 'Not Equal'],
  texts: ['In', 'Not In', 'Is Empty', 'Is Not Empty'],
  map: ['In', 'Not In', 'Is Empty', 'Is Not Empty'],
  record: [],
  records: ['Is Empty', 'Is Not Empty'],
}
